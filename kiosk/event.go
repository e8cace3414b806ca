package kiosk

import "fmt"

// Event is something that happened: in the slot, on the keypad, on a clock,
// or as the answer to an Effect. Answers carry the visit they belong to, so
// that one that comes too late changes nothing.
type Event interface{ event() }

// Key is what a person pressed: '0' to '9' or one of the keys below.
type Key rune

const (
	KeyOK       Key = '#' // confirms what was typed
	KeyCorrect  Key = '*' // clears what was typed, or gives up when nothing was
	KeyLanguage Key = 'L' // the next language
)

// IsDigit tells whether k is '0' to '9'.
func (k Key) IsDigit() bool { return k >= '0' && k <= '9' }

// Format prints a digit as [secret]: it may be one of a PIN.
func (k Key) Format(f fmt.State, _ rune) {
	if k.IsDigit() {
		_, _ = f.Write([]byte(secret))
		return
	}
	_, _ = f.Write([]byte(string(rune(k))))
}

// What happens in the slot.
type (
	// CardInserted begins a visit, under an id that no other visit has.
	CardInserted struct{ Visit string }
	// CardSilent is a card that gave no answer to reset: put in the wrong way
	// round, or no smart card. It is a visit too.
	CardSilent struct{ Visit string }
	CardGone   struct{} // or: the reader is there, and empty
	ReaderGone struct{} // unplugged, or the PC/SC service is gone
)

// What happens to the panel's parts.
type (
	PartLost  struct{ Part Part }
	PartFound struct{ Part Part }
)

// Part is a part of the panel that no visit can do without.
type Part string

const (
	Display Part = "display"
	Keypad  Part = "keypad"
	Door    Part = "door" // its strike
)

// Stopping says that the program ends. Nothing but answers may follow.
type Stopping struct{}

// KeyPressed is one key, once.
type KeyPressed struct{ Key Key }

// Elapsed says that a timer ran out. Serial is that of its StartTimer.
type Elapsed struct {
	Timer  Timer
	Serial int
}

// Answers of the card.
type (
	// CardRead follows ReadCard: the card has a certificate that may
	// authenticate Holder, once the PIN is right.
	CardRead struct {
		Visit  string
		Holder Holder
		PIN    PINStatus
	}
	// CardRefused follows ReadCard: whatever the PIN, nobody is let in.
	CardRefused struct {
		Visit  string
		Reason Reason
		Holder Holder // what the card claims, if anything
	}
	// CardFailed follows any effect on the card: it did not do its work.
	CardFailed struct {
		Visit  string
		Reason Reason
	}
	PINAccepted struct{ Visit string }
	PINRejected struct {
		Visit string
		PIN   PINStatus
	}
	// PadCancelled follows VerifyOnPad: the reader's cancel key. Neither by it
	// nor by the two below has the card lost a try.
	PadCancelled struct{ Visit string }
	PadTimedOut  struct{ Visit string } // nobody typed on the reader
	PadMistyped  struct{ Visit string } // too few or too many digits for a PIN
	// Signed follows Sign.
	Signed struct {
		Visit string
		Nonce string // the one asked for, or the kiosk's own
		Token []byte // Web eID authentication token, JSON
	}
)

// PINStatus is what a card tells of its PIN without being given one.
type PINStatus struct {
	Min, Max   int // digits; 0 when the card does not say
	Tries      int // left, when TriesKnown
	TriesKnown bool
	OnReader   bool // it is to be typed on the reader's own keys
}

func (s PINStatus) blocked() bool { return s.TriesKnown && s.Tries == 0 }

// Answers of the hub, and of the rules that stand in for it.
type (
	ChallengeReady struct {
		Visit string
		Nonce string // 32 random bytes, base64
	}
	// HubFailed follows GetChallenge or Authenticate: no answer to be had.
	HubFailed struct{ Visit string }
	// Decided follows Authenticate or DecideOffline.
	Decided struct {
		Visit   string
		Verdict Verdict
	}
)

// Answers of the outbox.
type (
	// Recorded: the record is on disk.
	Recorded struct{ Visit string }
	// RecordFailed: it is not, yet. It is tried again until Recorded comes.
	RecordFailed struct{ Visit string }
)

// How much the outbox still takes.
type (
	// RoomEnds: no more than the outcome of the visit that goes on. It is
	// said before an outcome would have no room.
	RoomEnds  struct{}
	RoomAgain struct{}
)

func (CardInserted) event()   {}
func (CardSilent) event()     {}
func (CardGone) event()       {}
func (ReaderGone) event()     {}
func (PartLost) event()       {}
func (PartFound) event()      {}
func (Stopping) event()       {}
func (KeyPressed) event()     {}
func (Elapsed) event()        {}
func (CardRead) event()       {}
func (CardRefused) event()    {}
func (CardFailed) event()     {}
func (PINAccepted) event()    {}
func (PINRejected) event()    {}
func (PadCancelled) event()   {}
func (PadTimedOut) event()    {}
func (PadMistyped) event()    {}
func (Signed) event()         {}
func (ChallengeReady) event() {}
func (HubFailed) event()      {}
func (Decided) event()        {}
func (Recorded) event()       {}
func (RecordFailed) event()   {}
func (RoomEnds) event()       {}
func (RoomAgain) event()      {}
