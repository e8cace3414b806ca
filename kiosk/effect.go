package kiosk

import "time"

// Effect is an action that Step requests. The terminal starts the effects of one
// step in order. The answer to an effect, if it has one, is a later Event.
type Effect interface{ effect() }

// Effects on the panel. They have no answer.
type (
	Show     struct{ Screen Screen }
	Sound    struct{ Cue Cue }
	OpenDoor struct{}
)

// Cue is a sound and a lamp, for people who cannot read the screen.
type Cue string

const (
	CueKey       Cue = "key"       // a key was accepted
	CueRefused   Cue = "refused"   // a key was refused
	CueAttention Cue = "attention" // the person has to do something
	CueReminder  Cue = "reminder"  // the card is still in, although the person was reminded of it
	CueGranted   Cue = "granted"
	CueDenied    Cue = "denied"

	CueOutOfService Cue = "out-of-service" // the kiosk cannot serve a person now
)

// Effects on the card. Each has an answer, except Release.
type (
	ReadCard  struct{ Visit string } // CardRead, CardRefused or CardFailed
	VerifyPIN struct {               // PINAccepted, PINRejected or CardFailed
		Visit string
		PIN   PIN // the runner of the effect wipes it
	}
	// VerifyOnPad makes the reader ask for the PIN. The kiosk does not see it.
	// The answer is PINAccepted, PINRejected, PadCancelled, PadTimedOut, PadMistyped, PadRefused or
	// CardFailed.
	VerifyOnPad struct{ Visit string }
	// ChangePIN replaces the PIN. The answer is PINChanged, PINRejected (Old is
	// wrong) or CardFailed.
	ChangePIN struct {
		Visit    string
		Old, New PIN // the runner of the effect wipes them
	}
	// UnblockPIN sets a new PIN with the PUK. The answer is PINChanged, PINRejected
	// (the PUK is wrong) or CardFailed.
	UnblockPIN struct {
		Visit    string
		PUK, New PIN // the runner of the effect wipes them
	}
	// Sign makes the card sign a token over Nonce. If Nonce is "", the terminal
	// makes a nonce. The answer is Signed or CardFailed.
	Sign struct {
		Visit string
		Nonce string
	}
	// Release ends all work for the visit: it resets and closes the card and
	// cancels requests to the hub.
	Release struct{}
)

// Effects on the hub, or on the offline policy. Each has a number of its own, which the
// answer repeats.
type (
	GetChallenge struct { // ChallengeReady, HubUnreachable or HubFailed
		Visit    string
		Question int
	}
	Authenticate struct { // Decided, HubUnreachable or HubFailed
		Visit    string
		Question int
		Nonce    string
		Token    []byte
	}
	DecideOffline struct { // Decided
		Visit    string
		Question int
		Nonce    string
		Token    []byte
	}
)

// Effects on a login by phone, which the hub keeps. The answer of the first three is
// LoginChanged, HubUnreachable or HubFailed.
type (
	// BeginLogin makes a login.
	BeginLogin struct {
		Visit    string
		Question int
		Language string // of the phone's pages, BCP 47
	}
	// AwaitLogin waits until the login's state is not Since.
	AwaitLogin struct {
		Visit    string
		Question int
		Login    string
		Since    PhoneState
	}
	// TypeDigits compares what the person typed with the digits on the phone. It replaces
	// an AwaitLogin that has no answer yet.
	TypeDigits struct {
		Visit    string
		Question int
		Login    string
		Digits   PIN // the runner of the effect wipes it
	}
	// CancelLogin ends the login, so that the phone's page says so. It has no answer.
	CancelLogin struct{ Login string }
)

// Record writes the outcome of a visit, or of a service after its login, to the outbox
// and retries until it is on disk. The answer is Recorded, after any number of
// RecordFailed.
type Record struct {
	Visit         string
	Service       Service      // "" for the visit itself
	Code          string       // of the Choice
	Document      DocumentInfo // of ServiceDocument
	Decision      Decision     // about the Document; "" if the holder made none
	Outcome       Outcome
	Reason        Reason // why, unless granted
	Holder        Holder // from the card's certificate; proven only if Authenticated
	Authenticated bool   // the card accepted the PIN and signed, or the person logged in through a broker for production
	Method        Method
	Sandbox       bool   // the login is one of a broker's sandbox: it proves nothing
	Offline       bool   // the kiosk decided without the hub
	Basis         Basis  // of the kiosk's own verdict
	Nonce         string // evidence: what was signed
	Token         []byte // evidence: Web eID authentication token, JSON
}

// RecordShown writes to the outbox whether the person learned the outcome of a visit.
// It follows the visit's Record, once for each. It has no answer.
type RecordShown struct {
	Visit  string
	Result Result
	Screen ScreenID  // the screen that showed the outcome; "" for none
	Door   bool      // the door was opened
	Reason Reason    // why there is no Screen, or why the door of a granted visit stayed shut
	At     time.Time // set by the terminal
}

// Result says whether a person learned the outcome of a visit.
type Result string

const (
	Shown        Result = "shown"
	NotShown     Result = "not-shown"
	ShownUnknown Result = "unknown" // the machine lost its power at that moment
)

// Entry is an Effect that is written to the outbox: Record or RecordShown.
type Entry interface {
	Effect
	entry()
}

func (Record) entry()      {}
func (RecordShown) entry() {}

// Timer is one of the visit's clocks.
type Timer string

const (
	TimerState Timer = "state" // maximum duration of the present state
	TimerVisit Timer = "visit" // maximum duration of the visit until its verdict

	TimerChallenge Timer = "challenge" // remaining time in which the challenge is used
)

// StartTimer requests an Elapsed event after a time. It replaces a running timer
// of the same name.
type StartTimer struct {
	Timer  Timer
	Serial int
	After  time.Duration
}

// StopTimer stops a timer. Step recognises an Elapsed that comes too late by its
// Serial.
type StopTimer struct{ Timer Timer }

func (Show) effect()          {}
func (Sound) effect()         {}
func (OpenDoor) effect()      {}
func (ReadCard) effect()      {}
func (VerifyPIN) effect()     {}
func (VerifyOnPad) effect()   {}
func (ChangePIN) effect()     {}
func (UnblockPIN) effect()    {}
func (Sign) effect()          {}
func (Release) effect()       {}
func (GetChallenge) effect()  {}
func (Authenticate) effect()  {}
func (DecideOffline) effect() {}
func (BeginLogin) effect()    {}
func (AwaitLogin) effect()    {}
func (TypeDigits) effect()    {}
func (CancelLogin) effect()   {}
func (Record) effect()        {}
func (RecordShown) effect()   {}
func (StartTimer) effect()    {}
func (StopTimer) effect()     {}
