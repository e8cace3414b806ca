package smartkort

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"smartkiosk/device/apdu"
)

// Profile is what the driver must know about a kind of card that the card does
// not describe itself. It is data: a TOML file in profiles/ or in a folder of
// the installation (profiles/*.toml are examples). The card's own description by
// ISO 7816-15 takes precedence.
type Profile struct {
	Name      string   `toml:"name"`
	About     string   `toml:"about"`      // description for the technician
	NotPublic []string `toml:"not_public"` // what is not public about the kind, and what the driver does instead
	Page      string   `toml:"page"`       // https address of the issuer's page on which the holder changes and unblocks the PIN

	Match       Match       `toml:"match"`
	Application Application `toml:"application"`
	Transport   Transport   `toml:"transport"`
	Verify      Verify      `toml:"verify"`
	PIN         *PINForm    `toml:"pin"` // used when the card describes no PIN
	PUK         *PINForm    `toml:"puk"` // used when the card describes no PUK
	Keys        []KeyForm   `toml:"key"` // for a card that does not describe itself by ISO 7816-15
	Change      PINRecipe   `toml:"change"`
	Unblock     PINRecipe   `toml:"unblock"`
	Sign        []Signing   `toml:"sign"`

	// PINStatus gives the meaning of status words of VERIFY, CHANGE REFERENCE
	// DATA and RESET RETRY COUNTER where a card differs from ISO 7816-4. The
	// key is the status in hexadecimal; the value is "blocked", "inactive"
	// (the holder must activate the card) or "wrong".
	PINStatus map[string]string `toml:"pin_status"`
}

// Match selects the cards that a profile is for. A card must have one of the
// answers to reset, if any are listed, and its TokenInfo must contain the
// texts, if they are set. An empty Match selects no card.
type Match struct {
	ATR          []string `toml:"atr"`          // hexadecimal, ? for any digit
	Manufacturer string   `toml:"manufacturer"` // substring
	Label        string   `toml:"label"`        // substring
	Applet       string   `toml:"applet"`       // hexadecimal AID of the applet in which the application was found
}

// Application says where to look for the application if the ways of the
// standard fail.
type Application struct {
	Applets []string `toml:"applets"` // hexadecimal AIDs of applets that hold an application

	// For a card that does not describe itself: the AID or the path of the DF
	// with its PIN and keys, in hexadecimal; the MF when both are empty.
	AID  string `toml:"aid"`
	Path string `toml:"path"` // starts with 3F00
}

// Transport says how long commands are sent. The default comes from the answer
// to reset.
type Transport struct {
	Extended *bool `toml:"extended"` // extended length with T=1, else command chaining
}

// Verify says how PINs are verified.
type Verify struct {
	// Classes are the class bytes of VERIFY in the order in which they are
	// tried. The driver tries the next one only if the card does not know the
	// class or the instruction; the card has not checked the PIN then.
	Classes []byte `toml:"classes"`
}

// PINForm describes a PIN that the card itself does not describe.
type PINForm struct {
	Label     string `toml:"label"`
	Reference byte   `toml:"reference"` // P2 of VERIFY
	Encoding  string `toml:"encoding"`  // ascii, bcd or utf8
	Min       int    `toml:"min"`       // digits
	Max       int    `toml:"max"`       // digits
	Stored    int    `toml:"stored"`    // bytes that VERIFY sends
	Pad       byte   `toml:"pad"`
}

// KeyForm describes a key that the card itself does not describe, and its
// certificate.
type KeyForm struct {
	Label       string `toml:"label"`
	Kind        string `toml:"kind"`        // rsa or ec; the certificate tells when missing
	Use         string `toml:"use"`         // authentication or signature
	Reference   byte   `toml:"reference"`   // in MSE SET (84) or GENERAL AUTHENTICATE (P2)
	Certificate string `toml:"certificate"` // hexadecimal path of its file, starts with 3F00 or is an identifier in the application
	Object      string `toml:"object"`      // hexadecimal tag of its data object, for cards with GET DATA instead of files
}

// PINRecipe says how a PIN is changed or unblocked.
type PINRecipe struct {
	// Recipe is one of
	//	change-reference-data  CHANGE REFERENCE DATA, the old PIN then the new one (change)
	//	reset-retry-counter    RESET RETRY COUNTER, the PUK then the new PIN (unblock)
	//	verify-puk             VERIFY of the PUK, then RESET RETRY COUNTER with the new PIN (unblock)
	//	unknown                not public: the driver refuses and sends nothing
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
	//	hash-command           PSO: HASH with the finished hash, then COMPUTE DIGITAL SIGNATURE without data
	//	decipher               PSO: DECIPHER over a whole block, in two halves (MyEID)
	//	general-authenticate   GENERAL AUTHENTICATE over a whole block or a hash, without MSE SET (PIV)
	Recipe    string `toml:"recipe"`
	Algorithm *byte  `toml:"algorithm"` // reference in MSE SET (80), P1 of GENERAL AUTHENTICATE
	// KeyBy says how MSE SET names the key:
	//	(missing)      by its key reference (84), or by its file (81) when it has none
	//	file           by its file (81) and its key reference
	//	selected-file  by its file (81), which is selected before, and key reference 00
	KeyBy string `toml:"key_by"`
	Class byte   `toml:"class"` // of these commands, 00 when missing
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
	recipeHashFirst  = "hash-command"
	recipeGeneral    = "general-authenticate"
	recipeDecipher   = "decipher"
)

var encodings = map[string]Encoding{"ascii": ASCII, "bcd": BCD, "utf8": UTF8}

// maxPage is the maximum length of Profile.Page, of which a display of 16 letters must
// show all but the scheme.
const maxPage = len("https://") + 16

// check reports the first mistake in a profile.
func (p *Profile) check() error {
	if p.Name == "" || p.About == "" {
		return errors.New("name or about is missing")
	}
	if u, err := url.Parse(p.Page); p.Page != "" && (err != nil || u.Scheme != "https" || u.Host == "" || len(p.Page) > maxPage) {
		return fmt.Errorf("page %q is not an https address of at most %d letters", p.Page, maxPage)
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
		known := []string{recipeHash, recipeInternal, recipeHashFirst, recipeGeneral}
		if s.Key == "rsa" {
			known = append(known, recipeDigestInfo, recipeBlock, recipeDecipher)
		}
		if !slices.Contains(known, s.Recipe) {
			return fmt.Errorf("sign %d: recipe %q is not one for %s", i+1, s.Recipe, s.Key)
		}
	}
	for i, s := range p.Sign {
		if !slices.Contains([]string{byReference, byFile, bySelection}, s.KeyBy) {
			return fmt.Errorf("sign %d: key_by %q is not file or selected-file", i+1, s.KeyBy)
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

// matches reports whether the profile is for a card. While the TokenInfo is
// unknown (nil), a profile that needs its texts does not match.
func (p *Profile) matches(atr []byte, token *TokenInfo, applet []byte) bool {
	m := p.Match
	if len(m.ATR) == 0 && m.Manufacturer == "" && m.Label == "" && m.Applet == "" {
		return false
	}
	if m.Applet != "" && m.Applet != fmt.Sprintf("%X", applet) {
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

// pin returns the PIN as a card's directory would describe it.
func (f *PINForm) pin() PIN {
	return PIN{
		Label: f.Label, Reference: f.Reference, Encoding: encodings[f.Encoding],
		MinLength: f.Min, MaxLength: f.Max, StoredLength: f.Stored, Pad: f.Pad, NeedsPadding: true,
	}
}
