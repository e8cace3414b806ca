package cardsim

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Image is what a card is made of: its kind, and what personalisation put on
// it.
type Image struct {
	Kind        string         // Smartkort
	Serial      []byte         // the card's serial number, in TokenInfo
	Updated     time.Time      // when the card's content was last changed, in TokenInfo; whole seconds
	Mute        bool           // gives no answer to reset, as a card put in the wrong way
	PINs        map[string]PIN // by the kind's names; for a Smartkort "pin" and "puk"
	Keys        map[string]Key // for a Smartkort "authentication" and "signature"; either may be missing
	Authorities [][]byte       // DER certificates of the issuers, without a key
}

// PIN is the value of a PIN or PUK, in digits, and the tries left.
type PIN struct {
	Value []byte
	Left  int
}

// Key is a private key and its certificate. The certificate is not looked at.
type Key struct {
	Private     *rsa.PrivateKey
	Certificate []byte // DER
}

// Image gives what the card holds now: tries spent and PINs changed since it
// was made are in it.
func (c *Card) Image() Image {
	c.mu.Lock()
	defer c.mu.Unlock()
	image := c.image
	image.Keys = maps.Clone(image.Keys)
	image.PINs = make(map[string]PIN, len(c.pins))
	for _, p := range c.pins {
		image.PINs[p.layout.name] = PIN{Value: p.layout.unpadded(p.value), Left: p.left}
	}
	return image
}

// What fits on a card. A file ends where the offsets of READ BINARY do.
const (
	maxSerial      = 32
	maxAuthorities = 8
	maxFile        = 0x7FFF
)

// check says whether the image fits the kind of card.
func (image Image) check(l *layout) error {
	for _, p := range l.pins {
		have, ok := image.PINs[p.name]
		switch {
		case !ok:
			return fmt.Errorf("no PIN %q", p.name)
		case !p.accepts(p.padded(have.Value)):
			return fmt.Errorf("PIN %q is not %d to %d digits", p.name, p.min, p.max)
		case have.Left < 0 || have.Left > p.tries:
			return fmt.Errorf("PIN %q has %d tries left, not 0 to %d", p.name, have.Left, p.tries)
		}
	}
	if len(image.PINs) > len(l.pins) {
		return errors.New("more PINs than this kind of card has")
	}
	if year := image.Updated.UTC().Year(); year < 1 || year > 9999 {
		return fmt.Errorf("updated in the year %d", year)
	}
	if len(image.Serial) > maxSerial || len(image.Authorities) > maxAuthorities {
		return fmt.Errorf("a serial number of %d bytes and %d authority certificates do not fit", len(image.Serial), len(image.Authorities))
	}
	for _, certificate := range image.Authorities {
		if len(certificate) > maxFile {
			return fmt.Errorf("an authority certificate of %d bytes does not fit", len(certificate))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(image.Keys)) {
		if !slices.ContainsFunc(l.keys, func(k keyLayout) bool { return k.name == name }) {
			return fmt.Errorf("this kind of card has no key %q", name)
		}
		if n := len(image.Keys[name].Certificate); n > maxFile {
			return fmt.Errorf("certificate %q of %d bytes does not fit", name, n)
		}
		// PSO carries one short block each way.
		if bits := image.Keys[name].Private.N.BitLen(); bits != 2048 {
			return fmt.Errorf("key %q has %d bits, not 2048", name, bits)
		}
	}
	return nil
}
