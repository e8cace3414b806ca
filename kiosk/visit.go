package kiosk

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Visit is the state of the kiosk: idle, in a step of a visit, or out of service. It
// is a value; Step returns the next one. Copies share the PIN's digits (see PIN), so
// only one of two copies may be used further.
type Visit struct {
	config    Config
	state     state
	cardIn    bool
	claimed   bool   // the card in the slot is for a login page
	recording bool   // what login pages do is recorded
	shown     Screen // the screen of the last Show effect

	language    string
	retry       bool     // the last visit was not granted: the same person may try again
	refusal     Screen   // why the last visit was refused, shown while its card is still in
	reminders   int      // number of reminders since the visit ended with the card still in
	privacy     bool     // the person reads what a visit records; only while no card is in
	noPhone     bool     // the person reads that this kiosk offers no login by phone; only while no card is in
	services    Services // of the next visit
	hostedReady bool     // there is a browser for hosted pages
	lastSerial  int
	serials     map[Timer]int // of the running timers; never changed in place
	question    int           // the number of the last question to the hub or the offline policy

	// Reasons for being out of service.
	hasReader    bool
	noReader     ReaderGone // what is there instead, without hasReader
	outboxFailed bool
	outboxFull   bool
	stopped      bool
	lost         []Part // no duplicates; never changed in place

	// The data of one visit. wipe deletes it.
	id            string
	holder        Holder
	pinStatus     PINStatus
	pin           PIN
	digitRefused  bool // the PIN is incomplete: a digit beyond the card's limit was typed
	wrongPIN      bool // a PIN of this visit was wrong
	notice        Notice
	warned        bool // the person was warned that PIN entry ends soon; reset by the next key
	visitEnds     bool // the warning is about the end of the visit; the next key extends the visit
	extensions    int  // number of times that the visit was extended
	mistyped      int  // number of times that the holder typed too few or too many digits on the reader
	challenge     challenge
	verdictWithin time.Duration // the hub's own deadline for a verdict
	hubReason     Reason        // the reason, with challengeRefused
	offline       bool          // the kiosk decided without the hub
	basis         Basis
	nonce         string
	token         []byte
	outcome       Record // set in recording and later states

	open     bool     // the card is open; Release closes it
	offered  Services // of this visit
	card     CardServices
	loggedIn bool    // the login was granted
	first    int     // the menu entry that Screen.First names
	service  Service // in progress
	code     string  // of the choice
	asks     Code    // what the person types
	proof    PIN     // the old PIN or the PUK
	fresh    PIN     // the new PIN
	puk      PINStatus

	byPhone bool // the person logs in by phone
	hosted  bool // the person logs in on a hosted page
	onPage  int  // digits typed there since the last OK
	login   PhoneLogin
	sandbox bool // the login proves nothing
	proven  bool // the broker has proven who the holder is

	documents documents
}

// state is the step that a visit is in. The zero state is out of service, because a
// kiosk cannot serve before its reader has reported.
type state int

const (
	outOfService state = iota
	idle
	reading           // the card's certificates
	enteringPIN       // on the panel
	enteringOnReader  // on the reader's own keys
	verifying         // the card verifies the PIN
	awaitingChallenge // the PIN was right; the hub's challenge is missing
	signing           // the card signs
	authenticating    // the hub decides
	decidingOffline   // the kiosk decides
	beginningLogin    // the hub makes a login by phone
	waitingForPhone   // a phone opens the link
	phoneOpened       // the person logs in on the phone
	enteringDigits    // that the phone shows
	openingHosted     // the hub begins a login on a hosted page, and the browser opens that
	atHosted          // the person logs in on it
	checkingLogin     // the hub checks the broker's answer or the digits, and decides
	recording         // the outcome is being written to disk
	showing           // the outcome
	choosing          // a service, after the login
	changing          // the card changes or unblocks its PIN
	referring         // to the card issuer's own page
	preparing         // the card's certificate for signatures is being read
	listing           // the hub sends the list of documents
	fetching          // the hub sends a document
	choosingDocument  // one of several
	readingDocument   // the holder reads, and decides
	signingDocument   // the card signs
	handingIn         // the hub gets the decision
)

// undecided reports whether a visit is in progress whose outcome is still open. A
// service is no part of it.
func (v Visit) undecided() bool {
	return v.state >= reading && v.state < recording && v.service == ""
}

// interactive reports whether the kiosk waits for a key, and asks whether the person
// needs more time before it goes on without one.
func (s state) interactive() bool {
	switch s {
	case enteringPIN, choosing, referring, choosingDocument, readingDocument:
		return true
	}
	return false
}

// InProgress reports whether a visit is in progress: from the insertion of a card
// until its outcome has been shown. A card that is left in afterwards or is for a
// login page does not count.
func (v Visit) InProgress() bool { return v.state != idle && v.state != outOfService }

// challenge is the state of the request for the hub's nonce.
type challenge int

const (
	challengeAsked challenge = iota
	challengeReady
	challengeUnreachable // no hub could be reached: the kiosk decides
	challengeRefused     // a hub was reached, but issued no challenge: the visit fails
)

// Config holds the settings in which kiosks differ.
type Config struct {
	Languages []string // BCP 47, the first is the default; at least one
	Timing    Timing
	Parts     []Part // parts that the panel has; each counts as lost until a PartFound
	Speech    bool   // the panel speaks its screens
	FullNames bool   // shows the holder's whole name; bystanders can read it
}

// Timing is the maximum duration of each state.
//
// A person who types slowly or cannot see must not be surprised. PIN entry ends
// only after a warning by sound and screen. Any key after the warning restarts the
// full time. WCAG 2.2.1, which EN 301 549 adopts for terminals, requires 20 s for
// that key, and that the time can be extended ten times.
type Timing struct {
	Reading   time.Duration // the card's certificates
	PINEntry  time.Duration // from the last key to the warning
	Warning   time.Duration // from the warning to the end of PIN entry
	PadEntry  time.Duration // on the reader, whose own timeouts come first
	Verifying time.Duration // the PIN, by the card
	Signing   time.Duration // by the card
	Hub       time.Duration // to reach the hub and for the line, in addition to the hub's own deadline
	Deciding  time.Duration // by the kiosk itself
	Recording time.Duration // until the outcome is on disk
	Greeting  time.Duration // a granted login is shown before the menu of services
	Outcome   time.Duration // shown before the person is asked to take the card
	Challenge time.Duration // age at which a challenge is replaced; with Verifying, Signing, Hub and the hub's deadline less than its life
	Visit     time.Duration // from insertion to the question whether the person needs more time; a key extends the visit by as much
	Reminder  time.Duration // between two reminders of a card that was left in; the insistent ones come twice as often
	Language  time.Duration // how long a language stays selected, or the privacy screen stays, while no card is in
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
	Greeting:  3 * time.Second,
	Outcome:   6 * time.Second,
	Challenge: 4 * time.Minute,
	Visit:     15 * time.Minute,
	Reminder:  10 * time.Second,
	Language:  30 * time.Second,
}

// maxVerdictWithin is the maximum of the hub's deadline that the kiosk accepts.
const maxVerdictWithin = 15 * time.Second

// maxReminders is the maximum number of reminders of a card that was left in. Those
// after the first politeReminders are insistent.
const (
	maxReminders    = 8
	politeReminders = 2
)

// maxExtensions is the number of times that a person can extend the visit (WCAG 2.2.1
// asks for ten). It bounds a visit in which a key bounces or somebody plays with the
// keypad.
const maxExtensions = 10

// maxMistyped is the number of wrong lengths on the reader after which the visit ends.
// Without it a broken reader, which reports a wrong length at once, would loop.
const maxMistyped = 5

// defaultMinPIN is the minimum number of digits if the card does not state one.
const defaultMinPIN = 4

// New returns a kiosk that is out of service until events say that its reader
// and the parts of its panel work.
func New(c Config) Visit {
	v := Visit{config: c, language: c.Languages[0], lost: c.Parts}
	v.shown = v.Screen()
	return v
}

// Screen returns the screen of the present state.
func (v Visit) Screen() Screen {
	s := Screen{Language: v.language, Speech: v.config.Speech}
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
			s.Reason, s.Wanted, s.Found = ReaderLost, v.noReader.Wanted, v.noReader.Found
		}
	case idle:
		switch {
		case v.privacy:
			s.ID = ScreenPrivacy
		case v.noPhone:
			s.ID = ScreenNoPhone
		case !v.cardIn:
			s.ID, s.Recorded, s.ByPhone, s.Hosted = ScreenWelcome, v.recording, v.services.Phone != "", v.hostedOffered()
		case v.claimed:
			s.ID, s.Recorded = ScreenCardInUse, v.recording
		case v.refusal.ID != "":
			s.ID, s.Reason, s.Offline = v.refusal.ID, v.refusal.Reason, v.refusal.Offline
			s.TakeCard = v.reminders%2 == 0
		default:
			s.ID, s.Insistent = ScreenRemoveCard, v.reminders > politeReminders
		}
	case reading:
		s.ID = ScreenReading
	case enteringPIN, enteringOnReader:
		s.ID, s.OnReader, s.WrongPIN, s.Notice = ScreenPIN, v.state == enteringOnReader, v.wrongPIN, v.notice
		s.Typed, s.TimeShort, s.Asks, s.Service = v.pin.Len(), v.warned, v.asks, v.service
		switch v.asks {
		case CodeLogin, CodeOld:
			s.Tries, s.TriesKnown = v.pinStatus.Tries, v.pinStatus.TriesKnown
		case CodePUK:
			s.Tries, s.TriesKnown = v.puk.Tries, v.puk.TriesKnown
		case CodeSign:
			s.Tries, s.TriesKnown = v.documents.pin.Tries, v.documents.pin.TriesKnown
		case CodeNew, CodeRepeat:
			s.WrongPIN = false
		}
		switch v.notice {
		case NoticeTooShort:
			s.Digits = v.minPIN()
		case NoticeTooLong:
			s.Digits = v.maxPIN()
		}
	case choosing:
		s.ID, s.First, s.TimeShort = ScreenMenu, v.first, v.warned
		copy(s.Menu[:], v.entries())
	case choosingDocument, readingDocument:
		v.documentScreen(&s)
	case referring:
		s.ID, s.Service, s.Page, s.TimeShort = ScreenPage, v.service, v.card.Page, v.warned
	case showing:
		s.ID, s.Reason, s.Offline, s.Service = outcomeScreen(v.outcome.Outcome), v.outcome.Reason, v.outcome.Offline, v.outcome.Service
		s.Decision = v.outcome.Decision
		if v.outcome.Reason == Blocked {
			s.Unblock = v.unblockWay()
		}
		if s.ID == ScreenGranted {
			s.Name = v.outcome.Holder.Name
			if !v.config.FullNames {
				s.Name = shortName(s.Name)
			}
		}
	case waitingForPhone:
		s.ID, s.Page, s.First, s.Notice = ScreenLink, v.login.Link, v.first, v.notice
	case openingHosted, atHosted:
		s.ID, s.Notice = ScreenHosted, v.notice
	case phoneOpened:
		s.ID, s.Notice = ScreenOnPhone, v.notice
	case enteringDigits:
		s.ID, s.Asks, s.Typed, s.WrongPIN, s.Notice = ScreenDigits, v.asks, v.pin.Len(), v.wrongPIN, v.notice
		s.Tries, s.TriesKnown = max(maxWrongDigits-v.login.Wrong, 1), true
		if v.notice == NoticeTooShort {
			s.Digits = phoneDigits
		}
	default:
		s.ID = ScreenChecking
	}
	if (v.byPhone || v.hosted) && v.InProgress() {
		s.ByPhone, s.Sandbox = !v.cardIn, v.sandbox
	}
	return s
}

func outcomeScreen(o Outcome) ScreenID {
	switch o {
	case Granted:
		return ScreenGranted
	case Denied:
		return ScreenDenied
	case Completed:
		return ScreenDone
	case Cancelled:
		return ScreenCancelled
	case TimedOut:
		return ScreenTimedOut
	}
	return ScreenFailed
}

// shortName returns the first name and the initial of the last one, so that a
// bystander does not learn who the person is.
func shortName(name string) string {
	words := strings.Fields(name)
	if len(words) < 2 {
		return name
	}
	initial, _ := utf8.DecodeRuneInString(words[len(words)-1])
	return words[0] + " " + string(initial) + "."
}

// minPIN returns the minimum number of digits that the card accepts as a PIN.
func (v Visit) minPIN() int {
	if n := v.limits().Min; n > 0 {
		return min(n, MaxPINDigits)
	}
	return defaultMinPIN
}

// limits returns those of what the person types.
func (v Visit) limits() PINStatus {
	switch v.asks {
	case CodePUK:
		return v.puk
	case CodeDigits:
		return PINStatus{Min: phoneDigits, Max: phoneDigits}
	case CodeSign:
		return v.documents.pin
	}
	return v.pinStatus
}

// maxPIN returns the maximum number of digits that the card accepts as a PIN.
func (v Visit) maxPIN() int {
	if n := v.limits().Max; n > 0 {
		return min(n, MaxPINDigits)
	}
	return MaxPINDigits
}

// wipe deletes everything that belongs to one visit.
func (v *Visit) wipe() {
	v.wipePINs()
	v.id, v.holder, v.pinStatus = "", Holder{}, PINStatus{}
	v.offered, v.card, v.puk, v.loggedIn, v.first = Services{}, CardServices{}, PINStatus{}, false, 0
	v.service, v.code, v.asks, v.documents = "", "", CodeLogin, documents{}
	v.digitRefused, v.wrongPIN, v.notice, v.warned, v.mistyped = false, false, "", false, 0
	v.visitEnds, v.extensions, v.privacy, v.noPhone = false, 0, false, false
	v.byPhone, v.hosted, v.onPage, v.login, v.sandbox, v.proven = false, false, 0, PhoneLogin{}, false, false
	v.challenge, v.verdictWithin, v.hubReason, v.offline = challengeAsked, 0, "", false
	v.nonce, v.token, v.basis, v.outcome, v.refusal = "", nil, Basis{}, Record{}, Screen{}
}

// wipePINs overwrites what the person has typed.
func (v *Visit) wipePINs() {
	for _, p := range []*PIN{&v.pin, &v.proof, &v.fresh} {
		p.Wipe()
		*p = PIN{}
	}
}
