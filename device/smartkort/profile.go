package smartkort

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"smartkiosk/device/apdu"
)

// Profile is what the driver must know of a kind of card beyond what the card
// says of itself. All of it is data: a TOML file in profiles/, or in a folder
// of the installation (see profiles/*.toml for how they are written). What a
// card describes by ISO 7816-15 goes before it.
type Profile struct {
	Name      string   `toml:"name"`
	About     string   `toml:"about"`      // the kind in words, for the technician
	NotPublic []string `toml:"not_public"` // what is not known of the kind, and what is done instead

	Match       Match       `toml:"match"`
	Application Application `toml:"application"`
	Transport   Transport   `toml:"transport"`
	Verify      Verify      `toml:"verify"`
	PIN         *PINForm    `toml:"pin"` // used where the card describes no PIN
	PUK         *PINForm    `toml:"puk"` // likewise
	Keys        []KeyForm   `toml:"key"` // of a card that does not describe itself by ISO 7816-15
	Change      PINRecipe   `toml:"change"`
	Unblock     PINRecipe   `toml:"unblock"`
	Sign        []Signing   `toml:"sign"`

	// PINStatus says what a status answered to VERIFY, CHANGE or RESET means
	// where it is not what ISO 7816-4 has it mean: by the status in
	// hexadecimal, "blocked", "inactive" (the holder must activate the card)
	// or "wrong".
	PINStatus map[string]string `toml:"pin_status"`
}

// Match is which cards a profile is for: those that have any of the answers
// to reset and, where stated, these texts in their TokenInfo. A profile that
// states nothing matches nothing.
type Match struct {
	ATR          []string `toml:"atr"`          // hexadecimal, ? for any digit
	Manufacturer string   `toml:"manufacturer"` // a part of it
	Label        string   `toml:"label"`        // a part of it
}

// Application is where to look for the application after the ways of the
// standard.
type Application struct {
	Applets []string `toml:"applets"` // AIDs, hexadecimal, of applets that hold one

	// Of a card that does not describe itself: where its PIN and keys are, by
	// one of these, hexadecimal; the MF when neither is stated.
	AID  string `toml:"aid"`
	Path string `toml:"path"` // from 3F00 on
}

// Transport is how long commands travel. What is not stated is taken from the
// answer to reset.
type Transport struct {
	Extended *bool `toml:"extended"` // extended length with T=1, else command chaining
}

// Verify is how PINs are verified.
type Verify struct {
	// Classes are the class bytes of VERIFY in the order in which they are
	// tried. The next is tried only when the card answers that it does not
	// know the class or the instruction, before it has looked at any PIN.
	Classes []byte `toml:"classes"`
}

// PINForm is a PIN that the card itself does not describe.
type PINForm struct {
	Label     string `toml:"label"`
	Reference byte   `toml:"reference"` // P2 of VERIFY
	Encoding  string `toml:"encoding"`  // ascii, bcd or utf8
	Min       int    `toml:"min"`       // digits
	Max       int    `toml:"max"`       // digits
	Stored    int    `toml:"stored"`    // bytes that VERIFY sends
	Pad       byte   `toml:"pad"`
}

// KeyForm is a key that the card itself does not describe, and the certificate
// that belongs to it.
type KeyForm struct {
	Label       string `toml:"label"`
	Kind        string `toml:"kind"`        // rsa or ec
	Use         string `toml:"use"`         // authentication or signature
	Reference   byte   `toml:"reference"`   // in MSE SET (84)
	Certificate string `toml:"certificate"` // path of its file from 3F00 on, hexadecimal
}

// PINRecipe is how a PIN is changed or unblocked.
type PINRecipe struct {
	// Recipe is one of
	//	change-reference-data  CHANGE REFERENCE DATA, the old PIN then the new one (change)
	//	reset-retry-counter    RESET RETRY COUNTER, the PUK then the new PIN (unblock)
	//	verify-puk             VERIFY of the PUK, then RESET RETRY COUNTER with the new PIN (unblock)
	//	unknown                nobody knows in public: refused, nothing is sent
	Recipe  string `toml:"recipe"`
	Classes []byte `toml:"classes"`
}

// Signing is how a key signs, for cards whose TokenInfo does not tell.
type Signing struct {
	Key string `toml:"key"` // rsa or ec
	// Recipe is one of
	//	digest-info            PSO: COMPUTE DIGITAL SIGNATURE over a DigestInfo, padded by the card
	//	hash                   the same over the bare hash
	//	block                  the same over a whole block of PKCS #1, as long as the key
	//	internal-authenticate  INTERNAL AUTHENTICATE over a DigestInfo
	Recipe    string `toml:"recipe"`
	Algorithm *byte  `toml:"algorithm"` // reference in MSE SET (80)
}

// Recipes.
const (
	recipeChange     = "change-reference-data"
	recipeReset      = "reset-retry-counter"
	recipeVerifyPUK  = "verify-puk"
	recipeUnknown    = "unknown"
	recipeDigestInfo = "digest-info"
	recipeHash       = "hash"
	recipeBlock      = "block"
	recipeInternal   = "internal-authenticate"
)

var encodings = map[string]Encoding{"ascii": ASCII, "bcd": BCD, "utf8": UTF8}

// check says what a profile has wrong.
func (p *Profile) check() error {
	if p.Name == "" || p.About == "" {
		return errors.New("name and about are needed")
	}
	for _, form := range p.Match.ATR {
		if len(form) < 4 || len(form)%2 != 0 || strings.Trim(form, "0123456789ABCDEF?") != "" {
			return fmt.Errorf("match.atr %q is not an answer to reset in capital hexadecimal digits and ?", form)
		}
	}
	for _, aid := range p.Application.Applets {
		if b, err := hex.DecodeString(aid); err != nil || len(b) < 5 || len(b) > 16 {
			return fmt.Errorf("application.applets: %q is not an AID of 5 to 16 bytes in hexadecimal", aid)
		}
	}
	for name, classes := range map[string][]byte{
		"verify": p.Verify.Classes, "change": p.Change.Classes, "unblock": p.Unblock.Classes,
	} {
		recipe := map[string]string{"change": p.Change.Recipe, "unblock": p.Unblock.Recipe}[name]
		if (len(classes) == 0) != (recipe == recipeUnknown) {
			return fmt.Errorf("%s.classes: needed, unless the recipe is unknown", name)
		}
	}
	if !slices.Contains([]string{recipeChange, recipeUnknown}, p.Change.Recipe) {
		return fmt.Errorf("change.recipe %q is not one", p.Change.Recipe)
	}
	if !slices.Contains([]string{recipeReset, recipeVerifyPUK, recipeUnknown}, p.Unblock.Recipe) {
		return fmt.Errorf("unblock.recipe %q is not one", p.Unblock.Recipe)
	}
	for name, f := range map[string]*PINForm{"pin": p.PIN, "puk": p.PUK} {
		if f == nil {
			continue
		}
		if _, ok := encodings[f.Encoding]; !ok {
			return fmt.Errorf("%s.encoding %q is not ascii, bcd or utf8", name, f.Encoding)
		}
		if f.Min < 1 || f.Max < f.Min || f.Stored < 1 || f.Stored > apdu.MaxShortData/2 || f.Max > f.pin().capacity() {
			return fmt.Errorf("%s: %d to %d digits do not fit in %d bytes", name, f.Min, f.Max, f.Stored)
		}
	}
	if err := p.checkKeys(); err != nil {
		return err
	}
	for i, s := range p.Sign {
		if s.Key != "rsa" && s.Key != "ec" {
			return fmt.Errorf("sign %d: key %q is not rsa or ec", i+1, s.Key)
		}
		if known := []string{recipeDigestInfo, recipeHash, recipeBlock, recipeInternal}; !slices.Contains(known, s.Recipe) ||
			s.Key == "ec" && s.Recipe != recipeHash && s.Recipe != recipeInternal {
			return fmt.Errorf("sign %d: recipe %q is not one for %s", i+1, s.Recipe, s.Key)
		}
	}
	for sw, meaning := range p.PINStatus {
		if b, err := hex.DecodeString(sw); err != nil || len(b) != 2 || strings.ToUpper(sw) != sw {
			return fmt.Errorf("pin_status: %q is not a status in capital hexadecimal digits", sw)
		}
		if !slices.Contains([]string{"blocked", "inactive", "wrong"}, meaning) {
			return fmt.Errorf("pin_status.%s: %q is not blocked, inactive or wrong", sw, meaning)
		}
	}
	return nil
}

// matches tells whether the profile is for a card. Without its TokenInfo, nil,
// a profile that asks for texts is for none.
func (p *Profile) matches(atr []byte, token *TokenInfo) bool {
	m := p.Match
	if len(m.ATR) == 0 && m.Manufacturer == "" && m.Label == "" {
		return false
	}
	have := strings.ToUpper(hex.EncodeToString(atr))
	if len(m.ATR) > 0 && !slices.ContainsFunc(m.ATR, func(form string) bool { return hasForm(have, form) }) {
		return false
	}
	if m.Manufacturer == "" && m.Label == "" {
		return true
	}
	return token != nil && strings.Contains(token.Manufacturer, m.Manufacturer) && strings.Contains(token.Label, m.Label)
}

func hasForm(atr, form string) bool {
	if len(atr) != len(form) {
		return false
	}
	for i := range len(form) {
		if form[i] != '?' && form[i] != atr[i] {
			return false
		}
	}
	return true
}

// pin makes of the form what a directory would have said.
func (f *PINForm) pin() PIN {
	return PIN{
		Label: f.Label, Reference: f.Reference, Encoding: encodings[f.Encoding],
		MinLength: f.Min, MaxLength: f.Max, StoredLength: f.Stored, Pad: f.Pad, NeedsPadding: true,
	}
}
