package kiosk

// ScreenID names what a person is told. Step chooses a name, never a text:
// the catalogue (kiosk/screen) has the words in every language.
type ScreenID string

const (
	ScreenWelcome      ScreenID = "welcome"        // insert your card
	ScreenReading      ScreenID = "reading"        // the card is being read
	ScreenPIN          ScreenID = "pin"            // type the PIN; Typed, Tries, WrongPIN, OnReader, TimeShort
	ScreenChecking     ScreenID = "checking"       // PIN taken, waiting for the verdict
	ScreenGranted      ScreenID = "granted"        // Name, Offline
	ScreenDenied       ScreenID = "denied"         // Reason
	ScreenCancelled    ScreenID = "cancelled"      // the person gave up
	ScreenTimedOut     ScreenID = "timed-out"      // nobody typed
	ScreenFailed       ScreenID = "failed"         // Reason: a card or part that did not do its work
	ScreenRemoveCard   ScreenID = "remove-card"    // the visit is over, the card is still in
	ScreenOutOfService ScreenID = "out-of-service" // Reason
)

// Screens lists every ScreenID.
var Screens = []ScreenID{
	ScreenWelcome, ScreenReading, ScreenPIN, ScreenChecking, ScreenGranted, ScreenDenied,
	ScreenCancelled, ScreenTimedOut, ScreenFailed, ScreenRemoveCard, ScreenOutOfService,
}

// Screen is what a person is to be told: a name, the few values its text
// needs, and the language the person chose.
type Screen struct {
	ID       ScreenID
	Language string // BCP 47: "nb", "en"
	Typed    int    // PIN digits typed so far
	Tries    int    // tries left, when TriesKnown
	WrongPIN bool   // the PIN just typed was wrong
	OnReader bool   // the PIN is typed on the reader's own keys, which Typed does not count

	TimeShort  bool // nobody has typed for long: without a key the visit ends soon
	TriesKnown bool
	Reason     Reason
	Name       string // the holder's name, on granted only
	Offline    bool   // the kiosk decided alone
}

// TakesPIN tells whether digits typed on the panel now belong to a PIN.
func (s Screen) TakesPIN() bool { return s.ID == ScreenPIN && !s.OnReader }
