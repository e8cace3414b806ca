package kiosk

import "time"

// Visit is the state of the kiosk towards the person in front of it: idle, in
// some step of a visit, or out of service. It is a value; Step gives the next.
// Only the PIN's digits are shared between copies (see PIN), so of two copies
// only one may be stepped on.
type Visit struct {
	config Config
	state  state
	cardIn bool
	shown  Screen // the last one asked for

	language   string
	reminders  int // given since the visit ended with the card still in
	lastSerial int
	serials    map[Timer]int // of the timers that run; never changed in place

	// Why out of service, if it is.
	hasReader    bool
	outboxFailed bool
	outboxFull   bool
	stopped      bool
	lost         []Part // each once; never changed in place

	// What belongs to one visit and is gone after it.
	id        string
	holder    Holder
	pinStatus PINStatus
	pin       PIN
	wrongPIN  bool
	warned    bool // that its time is nearly up; until the next key
	mistyped  int  // times that the reader was given what is no PIN
	challenge challenge
	offline   bool // the kiosk decided alone
	basis     Basis
	waited    bool // a part of the hub's time was spent on the challenge
	nonce     string
	token     []byte
	outcome   Record // decided; set from recording on
}

// state is where a visit stands. The zero state is out of service: a kiosk
// that has not heard of its reader serves nobody.
type state int

const (
	outOfService state = iota
	idle
	reading           // the card's certificates
	enteringPIN       // by the person
	enteringOnReader  // the same, on the reader's own keys
	verifying         // the PIN, by the card
	awaitingChallenge // from the hub; the PIN was right
	signing           // by the card
	authenticating    // the hub is to say
	decidingOffline   // the kiosk is to say
	recording         // the outcome is on its way to the disk
	showing           // the outcome
)

// undecided tells whether a visit goes on whose outcome is still open.
func (s state) undecided() bool { return s >= reading && s <= decidingOffline }

// challenge is how far the hub's nonce has come.
type challenge int

const (
	challengeAsked challenge = iota
	challengeReady
	challengeFailed
)

// Config is what a kiosk may do differently from another.
type Config struct {
	Languages []string // BCP 47, the first is the default; at least one
	Timing    Timing
	Parts     []Part // that the panel has; it is heard of each
}

// Timing is how long each state may last.
//
// Who types slowly, or cannot see, is not to be surprised: PIN entry ends only
// after a warning, by sound and screen, from which on any key gives the whole
// time again. WCAG 2.2.1, which EN 301 549 takes over for terminals, wants 20 s
// for that key, and that the time can be made ten times as long.
type Timing struct {
	Reading   time.Duration // the card's certificates
	PINEntry  time.Duration // since the last key, until the warning
	Warning   time.Duration // from the warning to the end of PIN entry
	PadEntry  time.Duration // on the reader, whose own time-outs come first
	Verifying time.Duration // the PIN, by the card
	Signing   time.Duration // by the card
	Hub       time.Duration // all that a person waits for the hub
	Deciding  time.Duration // by the kiosk itself
	Recording time.Duration // until the outcome is on disk
	Outcome   time.Duration // shown, unless the card is taken earlier
	Challenge time.Duration // until it is asked for anew; with Verifying, Signing and Hub below its life
	Visit     time.Duration // from insertion to decision: for a key that rattles, and who plays
	Reminder  time.Duration // between reminders of a card left in
	Language  time.Duration // a language chosen, and no card put in
}

// DefaultTiming suits a person who reads slowly or types by touch.
var DefaultTiming = Timing{
	Reading:   15 * time.Second,
	PINEntry:  40 * time.Second,
	Warning:   20 * time.Second,
	PadEntry:  7 * time.Minute, // 30 s for each of 12 digits and OK
	Verifying: 10 * time.Second,
	Signing:   15 * time.Second,
	Hub:       2 * time.Second,
	Deciding:  5 * time.Second,
	Recording: 10 * time.Second,
	Outcome:   6 * time.Second,
	Challenge: 4 * time.Minute,
	Visit:     15 * time.Minute,
	Reminder:  10 * time.Second,
	Language:  30 * time.Second,
}

// maxReminders of a card left in; then the kiosk keeps quiet.
const maxReminders = 6

// maxMistyped is how often the reader may be given what is no PIN. A reader
// that is broken says so each time, at once.
const maxMistyped = 5

// defaultMinPIN is the fewest digits taken where the card does not say.
const defaultMinPIN = 4

// New gives a kiosk that is out of service until it hears of its reader and of
// its panel's parts.
func New(c Config) Visit {
	v := Visit{config: c, language: c.Languages[0], lost: c.Parts}
	v.shown = v.Screen()
	return v
}

// Screen is what the person is to see in the present state.
func (v Visit) Screen() Screen {
	s := Screen{Language: v.language}
	switch v.state {
	case outOfService:
		s.ID = ScreenOutOfService
		switch {
		case v.stopped:
			s.Reason = Stopped
		case v.outboxFailed:
			s.Reason = OutboxFailed
		case v.outboxFull:
			s.Reason = OutboxFull
		case len(v.lost) > 0:
			s.Reason = v.lost[0].reason()
		default:
			s.Reason = ReaderLost
		}
	case idle:
		s.ID = ScreenWelcome
		if v.cardIn {
			s.ID = ScreenRemoveCard
		}
	case reading:
		s.ID = ScreenReading
	case enteringPIN:
		s.ID, s.Typed, s.WrongPIN = ScreenPIN, v.pin.Len(), v.wrongPIN
		s.Tries, s.TriesKnown, s.TimeShort = v.pinStatus.Tries, v.pinStatus.TriesKnown, v.warned
	case enteringOnReader:
		s.ID, s.OnReader, s.WrongPIN = ScreenPIN, true, v.wrongPIN
		s.Tries, s.TriesKnown, s.TimeShort = v.pinStatus.Tries, v.pinStatus.TriesKnown, v.warned
	case showing:
		s.Reason, s.Offline = v.outcome.Reason, v.outcome.Offline
		switch v.outcome.Outcome {
		case Granted:
			s.ID, s.Name = ScreenGranted, v.outcome.Holder.Name
		case Denied:
			s.ID = ScreenDenied
		case Cancelled:
			s.ID = ScreenCancelled
		case TimedOut:
			s.ID = ScreenTimedOut
		default:
			s.ID = ScreenFailed
		}
	default:
		s.ID = ScreenChecking
	}
	return s
}

// wipe forgets everything of the visit.
func (v *Visit) wipe() {
	v.pin.Wipe()
	v.id, v.holder, v.pinStatus, v.pin = "", Holder{}, PINStatus{}, PIN{}
	v.wrongPIN, v.warned, v.mistyped, v.challenge, v.waited, v.offline = false, false, 0, challengeAsked, false, false
	v.nonce, v.token, v.basis, v.outcome = "", nil, Basis{}, Record{}
}
