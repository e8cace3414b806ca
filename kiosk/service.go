package kiosk

// Service is something that a holder can do at the kiosk apart from the login.
type Service string

const (
	ServiceChoice  Service = "choice"      // chooses one of several, for example the reason for the visit
	ServiceChange  Service = "change-pin"  // changes the PIN
	ServiceUnblock Service = "unblock-pin" // unblocks a blocked PIN with the PUK

	ServiceDocument Service = "document" // signs or refuses a document that the hub holds for the holder
)

// Services are those that a kiosk offers. The hub's policy sets them for each group of
// kiosks; the zero value offers none, so that the visit is the login.
type Services struct {
	Choices   []Choice `json:"choices,omitempty"`     // the holder chooses one of them
	ChangePIN bool     `json:"change_pin,omitempty"`  // after a login
	Unblock   bool     `json:"unblock_pin,omitempty"` // when a PIN is blocked
	Documents bool     `json:"documents,omitempty"`   // after a login, if the hub holds documents for the holder

	Phone Environment `json:"phone,omitempty"` // of the broker through which people can log in by phone; "" for none
}

// MaxEntries is the number of entries of the menu: one for each of the keys 1 to 9.
const MaxEntries = 9

// MaxLabel is the maximum length of a menu entry in letters, so that it fits next to its
// key on a display of 16 letters.
const MaxLabel = 14

// Choice is one of several that the holder chooses from.
type Choice struct {
	Code  string            `json:"code"`  // the event has it
	Texts map[string]string `json:"texts"` // by language (BCP 47); a language that is missing gets the text of FallbackLanguage
}

// FallbackLanguage is that of a Choice without a text in the holder's language.
const FallbackLanguage = "nb"

func (c Choice) text(language string) string {
	if t, ok := c.Texts[language]; ok {
		return t
	}
	return c.Texts[FallbackLanguage]
}

// Way says how a holder can change or unblock the card's PIN.
type Way string

const (
	NoWay   Way = ""      // not at all
	AtKiosk Way = "kiosk" // here
	OnPage  Way = "page"  // on the card issuer's own page, because the card's command is not public
)

// CardServices says what a card allows beyond the login.
type CardServices struct {
	Change  Way
	Unblock Way
	Page    string // address of the issuer's own page; "" if it is not known

	PUKMin, PUKMax int // digits; 0 if the card does not state it
}

// way returns w, or NoWay if it leads to a page that is not known.
func (c CardServices) way(w Way) Way {
	if w == OnPage && c.Page == "" {
		return NoWay
	}
	return w
}

// MenuEntry is one entry of the menu. A text for people stands in Label only if the
// hub's policy brings it; the texts of the other services are in the catalogue.
type MenuEntry struct {
	Service Service
	Label   string
}

// entries returns the menu after a login: the choices, then the other services.
func (v Visit) entries() []MenuEntry {
	var all []MenuEntry
	for _, c := range v.offered.Choices {
		all = append(all, MenuEntry{ServiceChoice, c.text(v.language)})
	}
	if v.offered.ChangePIN && v.changeWay() != NoWay {
		all = append(all, MenuEntry{Service: ServiceChange})
	}
	if v.offered.Documents && v.documents.ticket != "" {
		all = append(all, MenuEntry{Service: ServiceDocument})
	}
	return all[:min(len(all), MaxEntries)]
}

// changeWay and unblockWay return how the holder can do it. A PIN that must be typed
// on the reader's own keys cannot be changed here.
func (v Visit) changeWay() Way {
	if v.pinStatus.OnReader && v.card.Change == AtKiosk {
		return NoWay
	}
	return v.card.way(v.card.Change)
}

func (v Visit) unblockWay() Way {
	if !v.offered.Unblock || v.pinStatus.OnReader && v.card.Unblock == AtKiosk {
		return NoWay
	}
	return v.card.way(v.card.Unblock)
}
