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

// Image is the kind of a card and its personalisation.
type Image struct {
	Kind        string         // Smartkort or another (kinds.go)
	Serial      []byte         // the card's serial number, in TokenInfo
	Updated     time.Time      // lastUpdate in TokenInfo, in whole seconds; zero for no lastUpdate
	Mute        bool           // gives no answer to reset, like a card inserted the wrong way round
	Inactive    bool           // not yet activated by its holder: accepts no PIN
	PINs        map[string]PIN // by the kind's names: "pin" and "puk", for TwoPIN also "signature-pin"
	Keys        map[string]Key // by the kind's names: above all "authentication" and "signature"; each may be missing
	Authorities [][]byte       // DER certificates of the issuers, without a key
}

// PIN is the digits of a PIN or PUK and the tries left.
type PIN struct {
	Value []byte
	Left  int
}

// Key is a private key and its certificate. The certificate is not checked.
type Key struct {
	Private     crypto.Signer // *rsa.PrivateKey or *ecdsa.PrivateKey, of the type and size that the kind has here
	Certificate []byte        // DER
}

// Image returns the card's current content, including spent tries and changed
// PINs.
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

// Limits of a card. The offset of READ BINARY limits the size of a file.
const (
	maxSerial      = 32
	maxAuthorities = 8
	maxFile        = 0x7FFF
)

// check reports why an image does not fit the kind of card.
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

// size returns the bits of a modulus or of a curve's field, and 0 for another
// type of key.
func size(key crypto.Signer) (bits int, curve bool) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key.N.BitLen(), false
	case *ecdsa.PrivateKey:
		return key.Params().BitSize, true
	}
	return 0, false
}
