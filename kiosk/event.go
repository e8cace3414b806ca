package kiosk

import (
	"fmt"
	"time"
)

// Event is something that happened: in the slot, on the keypad, on a clock, or as
// the answer to an Effect. An answer carries the id of its visit, so that Step can
// ignore one that comes too late.
type Event interface{ event() }

// Key is a key of the panel: '0' to '9' or one of the keys below.
type Key rune

const (
	KeyOK       Key = '#' // ends the PIN, and confirms a question
	KeyCorrect  Key = '*' // removes the last digit; without digits it asks whether to give up
	KeyLanguage Key = 'L' // selects the next language
	KeyRepeat   Key = 'R' // the panel speaks the screen again; in a visit it means that the person is there
	KeyVolume   Key = 'V' // the panel changes the volume of speech; the same
	KeyPrivacy  Key = '0' // while no card is in: what a visit records
	KeyPhone    Key = '1' // while no card is in: log in by phone
	KeyHosted   Key = '2' // while no card is in: log in on the broker's hosted page
)

// IsDigit reports whether k is '0' to '9'.
func (k Key) IsDigit() bool { return k >= '0' && k <= '9' }

// Format prints a digit as [secret], because it may be part of a PIN.
func (k Key) Format(f fmt.State, _ rune) {
	if k.IsDigit() {
		_, _ = f.Write([]byte(secret))
		return
	}
	_, _ = f.Write([]byte(string(rune(k))))
}

// Events of the slot.
type (
	// CardInserted begins a visit with a new, unique id.
	CardInserted struct{ Visit string }
	// CardSilent is a card that does not answer to reset: it was inserted the
	// wrong way round, or is not a smart card. This is a visit, too.
	CardSilent struct{ Visit string }
	CardGone   struct{} // also reported when a reader begins to work and is empty
	// ReaderGone is a reader that was unplugged, a reader that none of those which are
	// connected is, or the end of the PC/SC service. The names are for the technician.
	ReaderGone struct {
		Wanted string // what the reader's name must contain; "" if any reader will do
		Found  string // the name of a reader that does not match, or ""
	}
	// CardClaimed means that the card in the slot is for a login page in the
	// browser, which waits for it or uses it. It begins no visit. During a visit
	// it changes nothing.
	CardClaimed struct{}
	// CardWanted means that a login page has begun to ask for the card in the slot.
	// A visit ends for it if its holder has typed nothing yet; the card is then
	// claimed as by CardClaimed. Otherwise it changes nothing.
	CardWanted struct{}
	// CardReturned follows CardClaimed: the login page has used the card and does
	// not need it any more.
	CardReturned struct{}
	// CardUnused follows CardClaimed or CardWanted: the login page has not used the
	// card. If the card is claimed, a visit with this new id begins.
	CardUnused struct{ Visit string }
)

// Events of the recording of login pages, which a technician switches on.
type (
	RecordingBegins struct{}
	RecordingEnds   struct{}
)

// Events of the panel's parts.
type (
	PartLost  struct{ Part Part }
	PartFound struct{ Part Part }
)

// Part is a part of the panel that every visit needs.
type Part string

const (
	Display Part = "display"
	Keypad  Part = "keypad"
	Door    Part = "door" // the door's strike
)

// Stopping means that the program ends. Only answers to effects may follow.
type Stopping struct{}

// KeyPressed is one press of one key.
type KeyPressed struct{ Key Key }

// LoginWanted is KeyPressed{KeyPhone} where that key begins a login by phone (see
// Visit.BeginsLogin), with a new, unique id for the visit.
type LoginWanted struct{ Visit string }

// Elapsed means that a timer has run out. Serial is the one of its StartTimer.
type Elapsed struct {
	Timer  Timer
	Serial int
}

// Events that answer an effect on the card.
type (
	// CardRead follows ReadCard: the card has a certificate that can
	// authenticate Holder once the PIN is right.
	CardRead struct {
		Visit  string
		Holder Holder
		PIN    PINStatus

		Services CardServices
	}
	// CardRefused follows ReadCard: no certificate of the card is acceptable.
	CardRefused struct {
		Visit  string
		Reason Reason
		Holder Holder // from the certificate, if there is one
	}
	// CardFailed follows any effect on the card that could not be completed.
	CardFailed struct {
		Visit  string
		Reason Reason
	}
	PINAccepted struct{ Visit string }
	// PINRejected also follows ChangePIN, about the old PIN, and UnblockPIN, about the PUK.
	PINRejected struct {
		Visit string
		PIN   PINStatus
	}
	// PadCancelled follows VerifyOnPad: the holder pressed the reader's cancel
	// key. This and the three events below do not use up a try.
	PadCancelled struct{ Visit string }
	PadTimedOut  struct{ Visit string } // the holder typed nothing on the reader
	PadMistyped  struct{ Visit string } // the holder typed too few or too many digits
	PadRefused   struct{ Visit string } // the reader did not ask for the PIN
	// PINChanged follows ChangePIN and UnblockPIN: the new PIN is valid.
	PINChanged struct{ Visit string }
	// Signed follows Sign.
	Signed struct {
		Visit string
		Nonce string // the hub's, or the one that the terminal made
		Token []byte // Web eID authentication token, JSON
	}
)

// PINStatus is what a card states about its PIN before verification.
type PINStatus struct {
	Min, Max   int // digits; 0 if the card does not state it
	Tries      int // left, when TriesKnown
	TriesKnown bool
	OnReader   bool // the PIN must be typed on the reader's own keys
}

func (s PINStatus) blocked() bool { return s.TriesKnown && s.Tries == 0 }

// Events that answer an effect on the hub or the offline policy. Question is that of the
// effect, so that Step can ignore the late answer to an earlier question of the visit.
type (
	ChallengeReady struct {
		Visit    string
		Question int
		Nonce    string // 32 random bytes, base64
		// VerdictWithin is the hub's own deadline for a verdict.
		VerdictWithin time.Duration
	}
	// HubUnreachable follows every question to the hub: no hub could be
	// reached, or a hub said that its store is unavailable. Only in this case may
	// the kiosk decide by itself.
	HubUnreachable struct {
		Visit    string
		Question int
	}
	// HubFailed follows every question to the hub: a hub was reached, but it
	// did not answer in time or refused to.
	HubFailed struct {
		Visit    string
		Question int
		Reason   Reason // HubRefused or HubSilent
	}
	// Decided follows Authenticate or DecideOffline.
	Decided struct {
		Visit    string
		Question int
		Verdict  Verdict
	}
	// LoginChanged follows BeginLogin, AwaitLogin and TypeDigits.
	LoginChanged struct {
		Visit    string
		Question int
		Login    PhoneLogin
	}
)

// Events that answer Record.
type (
	// Recorded says that the record is on disk.
	Recorded struct{ Visit string }
	// RecordFailed says that the record could not be written. The terminal
	// retries until Recorded follows.
	RecordFailed struct{ Visit string }
)

// ServicesSet says which services the hub's policy offers from the next visit on.
type ServicesSet struct{ Services Services }

// Events of the outbox's free space.
type (
	// RoomEnds means that there is room for the outcome of the present visit, but
	// for no further visit.
	RoomEnds  struct{}
	RoomAgain struct{} // there is room for further visits
)

func (CardInserted) event()    {}
func (CardSilent) event()      {}
func (CardGone) event()        {}
func (CardClaimed) event()     {}
func (CardWanted) event()      {}
func (CardReturned) event()    {}
func (CardUnused) event()      {}
func (RecordingBegins) event() {}
func (RecordingEnds) event()   {}
func (ReaderGone) event()      {}
func (PartLost) event()        {}
func (PartFound) event()       {}
func (Stopping) event()        {}
func (KeyPressed) event()      {}
func (Elapsed) event()         {}
func (CardRead) event()        {}
func (CardRefused) event()     {}
func (CardFailed) event()      {}
func (PINAccepted) event()     {}
func (PINRejected) event()     {}
func (PadCancelled) event()    {}
func (PadTimedOut) event()     {}
func (PadRefused) event()      {}
func (PadMistyped) event()     {}
func (PINChanged) event()      {}
func (ServicesSet) event()     {}
func (Signed) event()          {}
func (ChallengeReady) event()  {}
func (HubFailed) event()       {}
func (HubUnreachable) event()  {}
func (Decided) event()         {}
func (LoginChanged) event()    {}
func (LoginWanted) event()     {}
func (Recorded) event()        {}
func (RecordFailed) event()    {}
func (RoomEnds) event()        {}
func (RoomAgain) event()       {}
