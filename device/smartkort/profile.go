package smartkort

import (
	"encoding/hex"
	"strings"
)

// profile is what the driver must know of a kind of card beyond what the card
// says of itself. All of it is data, and what a card describes by ISO 7816-15
// goes before it.
type profile struct {
	name string

	// atrs are answers to reset in hexadecimal, ? for any digit. An ATR is a
	// hint: a profile must also suit other cards that share it.
	atrs []string

	// applets are AIDs to look for the application behind, after the ways
	// that the standard has.
	applets []string

	// verifyClasses are the class bytes of VERIFY in the order in which they
	// are tried. The next one is tried only when the card answers that it
	// does not know the class or the instruction, before it has looked at
	// any PIN.
	verifyClasses []byte

	// pin is used where the card describes none.
	pin *PIN
}

// profiles holds the kinds known; the last one is the plain standard and suits
// every card.
var profiles = []profile{
	{
		// Buypass Smartkort. Public: the form of the ATR, and VERIFY as A0 20
		// 00 82 08 with the PIN in ASCII, padded with FF to 8 bytes. Not
		// public, hence not here: an AID, file identifiers, key references,
		// the signing commands, PUK and change-PIN commands.
		name: "buypass",
		atrs: []string{
			"3B6F00008031E06B042?0502??555555555555",
			"3B9F96400A8031E06B042?0502??555555555555",
		},
		verifyClasses: []byte{0xA0, 0x00},
		pin: &PIN{
			Label: "PIN", Reference: 0x82, Encoding: ASCII,
			MinLength: 4, MaxLength: 8, StoredLength: 8, Pad: 0xFF, NeedsPadding: true,
		},
	},
	{
		name:          "iso7816-15",
		verifyClasses: []byte{0x00},
	},
}

// profileFor gives the first profile whose ATR forms have atr, the plain
// standard for all others.
func profileFor(atr []byte) profile {
	have := strings.ToUpper(hex.EncodeToString(atr))
	for _, p := range profiles {
		for _, form := range p.atrs {
			if hasForm(have, form) {
				return p
			}
		}
	}
	return profiles[len(profiles)-1]
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
