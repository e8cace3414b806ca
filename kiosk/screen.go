package kiosk

// ScreenID is the name of a screen. Step chooses a name, never a text: the catalogue
// (kiosk/screen) has the texts in every language.
type ScreenID string

const (
	ScreenWelcome      ScreenID = "welcome"        // insert your card; Recorded
	ScreenPrivacy      ScreenID = "privacy"        // what a visit records
	ScreenReading      ScreenID = "reading"        // the card is being read
	ScreenPIN          ScreenID = "pin"            // type the PIN; Typed, Tries, WrongPIN, OnReader, TimeShort, Notice
	ScreenChecking     ScreenID = "checking"       // the PIN is typed; the verdict is not known yet
	ScreenGranted      ScreenID = "granted"        // Name, Offline
	ScreenDenied       ScreenID = "denied"         // Reason
	ScreenCancelled    ScreenID = "cancelled"      // the person gave up
	ScreenTimedOut     ScreenID = "timed-out"      // the person did not type in time
	ScreenFailed       ScreenID = "failed"         // Reason: a card, a part or the hub did not work
	ScreenRemoveCard   ScreenID = "remove-card"    // the visit is over, the card is still in; Insistent
	ScreenCardInUse    ScreenID = "card-in-use"    // a login page in the browser waits for the card or uses it; Recorded
	ScreenOutOfService ScreenID = "out-of-service" // Reason
	ScreenSetup        ScreenID = "setup"          // the first start; Setup, Detail

	ScreenMenu ScreenID = "menu" // after the login: what the holder can do; Menu, First, TimeShort
	ScreenPage ScreenID = "page" // the issuer's own page, where the holder can do Service; Page, TimeShort
	ScreenDone ScreenID = "done" // a Service was completed

	ScreenNoPhone ScreenID = "no-phone"     // this kiosk offers no login by phone
	ScreenHosted  ScreenID = "hosted"       // the broker's page is in the browser's window, or comes; Notice
	ScreenLink    ScreenID = "phone-link"   // open Page on a phone; First, Notice
	ScreenOnPhone ScreenID = "phone-login"  // log in on the phone; Notice
	ScreenDigits  ScreenID = "phone-digits" // type the digits that the phone shows; Typed, Tries, WrongPIN, Notice

	ScreenDocuments ScreenID = "documents" // which document: Menu with the titles, First, TimeShort
	ScreenDocument  ScreenID = "document"  // one page of it: Title, Kind, Text, Part, Parts, TimeShort
	ScreenDecide    ScreenID = "decide"    // sign or refuse it: Title, Kind, Read, TimeShort
)

// Screens lists every ScreenID.
var Screens = []ScreenID{
	ScreenWelcome, ScreenPrivacy, ScreenReading, ScreenPIN, ScreenChecking, ScreenGranted, ScreenDenied,
	ScreenCancelled, ScreenTimedOut, ScreenFailed, ScreenRemoveCard, ScreenCardInUse, ScreenOutOfService,
	ScreenSetup, ScreenMenu, ScreenPage, ScreenDone,
	ScreenNoPhone, ScreenHosted, ScreenLink, ScreenOnPhone, ScreenDigits,
	ScreenDocuments, ScreenDocument, ScreenDecide,
}

// Setup says what a kiosk lacks at its first start. It is for the technician.
type Setup string

const (
	SetupRunning  Setup = ""         // nothing: it works, for example enrols
	SetupFiles    Setup = "files"    // Detail, kiosk.toml or code.txt, is not on the boot partition
	SetupSettings Setup = "settings" // kiosk.toml is wrong; Detail has the line or key
	SetupCode     Setup = "code"     // the code is mistyped, or the hub refuses it
	SetupCable    Setup = "cable"    // Detail, a network interface, is not connected
	SetupAddress  Setup = "address"  // Detail, a network interface, has no address
	SetupDNS      Setup = "dns"      // there is no name Detail
	SetupHub      Setup = "hub"      // Detail, the hub's host, does not answer
	SetupCA       Setup = "ca"       // Detail is not the hub that made the code
	SetupClock    Setup = "clock"    // the clock is too wrong for the hub's certificate
	SetupReader   Setup = "reader"   // there is no card reader
)

// Setups lists every Setup.
var Setups = []Setup{
	SetupRunning, SetupFiles, SetupSettings, SetupCode, SetupCable, SetupAddress, SetupDNS, SetupHub, SetupCA, SetupClock, SetupReader,
}

// Notice is the kiosk's answer to a key during PIN entry that it did not accept as a
// part of the PIN.
type Notice string

const (
	NoticeTooShort Notice = "too-short" // OK was pressed before the PIN had Digits digits
	NoticeTooLong  Notice = "too-long"  // a digit beyond Digits was typed: the PIN must be typed again
	NoticeLeave    Notice = "leave"     // asks whether the person wants to give up
	NoticeDiffers  Notice = "differs"   // the new PIN was typed differently the second time: it must be typed again
	NoticeSame     Notice = "same"      // the new PIN is the old one: another must be typed
)

// Code is what the person types on the PIN screen.
type Code string

const (
	CodeLogin  Code = ""       // the PIN, for the login
	CodeOld    Code = "old"    // the PIN that is to be replaced
	CodePUK    Code = "puk"    // the PUK
	CodeNew    Code = "new"    // the new PIN
	CodeRepeat Code = "repeat" // the new PIN, a second time
	CodeDigits Code = "digits" // the digits that a phone shows
	CodeSign   Code = "sign"   // the PIN of signatures, which confirms a document
)

// Codes lists every Code.
var Codes = []Code{CodeLogin, CodeOld, CodePUK, CodeNew, CodeRepeat, CodeDigits, CodeSign}

// Notices lists every Notice.
var Notices = []Notice{NoticeTooShort, NoticeTooLong, NoticeLeave, NoticeDiffers, NoticeSame}

// Screen is what the kiosk shows: the screen's name, the values that its text needs,
// and the language that the person chose.
type Screen struct {
	ID       ScreenID
	Language string // BCP 47: "nb", "nn", "se", "en"
	Typed    int    // PIN digits typed so far
	Tries    int    // tries left, when TriesKnown
	WrongPIN bool   // a PIN of this visit was wrong
	OnReader bool   // the PIN is typed on the reader's own keys, which Typed does not count
	Notice   Notice
	Digits   int // the card's limit that Notice is about

	TimeShort  bool // no key for a long time: the visit ends soon unless a key is pressed
	TriesKnown bool
	Reason     Reason
	Name       string // the holder's name, shortened unless Config.FullNames; on granted only
	Wanted     string // out of service for want of a reader: what its name must contain
	Found      string // then: the name of a reader that does not match; "" for none
	ByPhone    bool   // the visit is a login by phone: there is no card; on welcome: a person can log in by phone
	Hosted     bool   // on welcome: a person can log in on a hosted page
	Sandbox    bool   // the login is a test: it opens no door
	Offline    bool   // the kiosk decided without the hub
	Recorded   bool   // what login pages and cards say to each other is recorded
	Speech     bool   // the kiosk speaks its screens
	Setup      Setup
	Detail     string                // what Setup is about
	Insistent  bool                  // several reminders to take the card have passed
	Asks       Code                  // what the person types
	Service    Service               // that is in progress or was completed
	Menu       [MaxEntries]MenuEntry // the key 1 selects the first; entries without a Service are unused
	First      int                   // index of the entry that a display without room for all of them shows first
	Page       string                // address of the card issuer's own page, or of a login by phone
	Unblock    Way                   // on a blocked PIN: how the holder can unblock it
	Title      string                // of the document
	Kind       DocumentKind
	Text       string   // a page of the document, exactly as it is signed
	Part       int      // the number of the page, from 1
	Parts      int      // how many there are
	Read       bool     // every page was shown, so the document can be signed
	Decision   Decision // that was made

	TakeCard bool // the reason has been shown for a while: a display without room for both now shows the hint to take the card
}

// TakesPIN reports whether digits typed on the panel now belong to a PIN, or are those that
// a phone shows.
func (s Screen) TakesPIN() bool { return s.ID == ScreenPIN && !s.OnReader || s.ID == ScreenDigits }
