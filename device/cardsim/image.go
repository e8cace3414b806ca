package cardsim

import (
	"crypto"
	"crypto/ecdsa"
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
	Kind        string         // Smartkort or another (kinds.go)
	Serial      []byte         // the card's serial number, in TokenInfo
	Updated     time.Time      // when the card's content was last changed, in TokenInfo; whole seconds; zero for a card that does not tell
	Mute        bool           // gives no answer to reset, as a card put in the wrong way
	Inactive    bool           // has yet to be activated by its holder: takes no PIN
	PINs        map[string]PIN // by the kind's names: "pin" and "puk", for TwoPIN also "signature-pin"
	Keys        map[string]Key // by the kind's names: "authentication" and "signature" above all; any may be missing
	Authorities [][]byte       // DER certificates of the issuers, without a key
}

// PIN is the value of a PIN or PUK, in digits, and the tries left.
type PIN struct {
	Value []byte
	Left  int
}

// Key is a private key and its certificate. The certificate is not looked at.
type Key struct {
	Private     crypto.Signer // *rsa.PrivateKey or *ecdsa.PrivateKey, of the kind and size that the place is for
	Certificate []byte        // DER
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
		i := slices.IndexFunc(l.keys, func(k keyLayout) bool { return k.name == name })
		if i < 0 {
			return fmt.Errorf("this kind of card has no key %q", name)
		}
		if n := len(image.Keys[name].Certificate); n > maxFile {
			return fmt.Errorf("certificate %q of %d bytes does not fit", name, n)
		}
		bits, curve := size(image.Keys[name].Private)
		if l.algorithmOf(&l.keys[i]).curve != curve {
			return fmt.Errorf("key %q is a %T", name, image.Keys[name].Private)
		}
		if bits != l.keys[i].bits {
			return fmt.Errorf("key %q has %d bits, not %d", name, bits, l.keys[i].bits)
		}
	}
	return nil
}

// size gives the bits of a modulus, or of a curve's field; 0 for what is no key
// for a card.
func size(key crypto.Signer) (bits int, curve bool) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key.N.BitLen(), false
	case *ecdsa.PrivateKey:
		return key.Params().BitSize, true
	}
	return 0, false
}
