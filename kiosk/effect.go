package kiosk

import "time"

// Effect is something Step wants done. Effects of one step are begun in their
// order; those that answer do so by an Event, later.
type Effect interface{ effect() }

// Effects on the panel. They do not answer.
type (
	Show     struct{ Screen Screen }
	Sound    struct{ Cue Cue }
	OpenDoor struct{}
)

// Cue is a sound and a lamp, for those who cannot read the screen.
type Cue string

const (
	CueKey       Cue = "key"       // a key was taken
	CueRefused   Cue = "refused"   // a key was not
	CueAttention Cue = "attention" // something is expected of the person
	CueGranted   Cue = "granted"
	CueDenied    Cue = "denied"

	CueOutOfService Cue = "out-of-service" // nobody is served now
)

// Effects on the card. They answer; Release does not.
type (
	ReadCard  struct{ Visit string } // CardRead, CardRefused or CardFailed
	VerifyPIN struct {               // PINAccepted, PINRejected or CardFailed
		Visit string
		PIN   PIN // the effect's to wipe
	}
	// VerifyOnPad has the reader ask for the PIN, which nobody else sees.
	// PINAccepted, PINRejected, PadCancelled, PadTimedOut, PadMistyped or
	// CardFailed.
	VerifyOnPad struct{ Visit string }
	// Sign makes a token over Nonce, or over a nonce of the kiosk's own
	// when it is "". Signed or CardFailed.
	Sign struct {
		Visit string
		Nonce string
	}
	// Release ends whatever is being done for the visit: the card is reset
	// and let go of, and no answer of the hub is waited for any more.
	Release struct{}
)

// Effects on the hub, or on the rules that stand in for it.
type (
	GetChallenge struct{ Visit string } // ChallengeReady or HubFailed
	Authenticate struct {               // Decided or HubFailed
		Visit string
		Nonce string
		Token []byte
	}
	DecideOffline struct { // Decided
		Visit string
		Nonce string
		Token []byte
	}
)

// Record writes the outcome of a visit to the outbox, trying until it is
// there: Recorded, after any number of RecordFailed.
type Record struct {
	Visit         string
	Outcome       Outcome
	Reason        Reason // why, unless granted
	Holder        Holder // what the card claims; proven only if Authenticated
	Authenticated bool   // the card took the PIN and signed
	Offline       bool   // the kiosk decided alone
	Basis         Basis  // of what it decided
	Nonce         string // evidence: what was signed
	Token         []byte // evidence: Web eID authentication token, JSON
}

// Timer is one of the visit's clocks.
type Timer string

const (
	TimerState Timer = "state" // how long the present state may last
	TimerVisit Timer = "visit" // how long the whole visit may last before its verdict

	TimerChallenge Timer = "challenge" // how long the hub's challenge may still be signed
)

// StartTimer asks for Elapsed after a while; it replaces a running timer of
// the same name.
type StartTimer struct {
	Timer  Timer
	Serial int
	After  time.Duration
}

// StopTimer ends a timer. An Elapsed that is on its way is told by its Serial.
type StopTimer struct{ Timer Timer }

func (Show) effect()          {}
func (Sound) effect()         {}
func (OpenDoor) effect()      {}
func (ReadCard) effect()      {}
func (VerifyPIN) effect()     {}
func (VerifyOnPad) effect()   {}
func (Sign) effect()          {}
func (Release) effect()       {}
func (GetChallenge) effect()  {}
func (Authenticate) effect()  {}
func (DecideOffline) effect() {}
func (Record) effect()        {}
func (StartTimer) effect()    {}
func (StopTimer) effect()     {}
