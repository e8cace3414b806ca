// Package smartkort drives identity cards that describe themselves by ISO/IEC
// 7816-15 (which grew out of PKCS #15): it finds the application, reads the
// directories of keys, certificates and PINs, verifies a PIN and lets a key of
// the card sign as a crypto.Signer. The Buypass Smartkort is spoken to through
// the same standard; what differs from kind to kind is data, in profiles/ and
// in folders of the installation.
//
// Nothing here guesses with a holder's PIN: an attempt is made when the holder
// makes one, is sent once, and is not repeated whatever happens on the way.
//
// A card is asked as little as can be: the directories that lead to a
// certificate, that certificate to its own length, the PIN, the signature. A
// Driver with a Cache asks a card that was here before only who it is, and one
// of a kind that was here before not where its keys and certificates are.
//
// # Plumbing
//
// APDUs and BER-TLV come from device/apdu and device/apdu/tlv, which are our
// own. The module cunicu.li/go-iso7816 (v0.8.8) was weighed and left: its Send
// follows 61xx without a bound, does not know 6Cxx, drops the data of 62xx
// warnings (READ BINARY at the end of a file), takes no context and leaves the
// PIN in its buffers; its TLV decoder builds whole trees from lengths that the
// card made up and refuses padding. Of the module nothing would be left but
// constants.
//
// # Sources
//
// ISO/IEC 7816-4:2020 (commands, file control information, EF.DIR), ISO/IEC
// 7816-8 (security operations), ISO/IEC 7816-15:2016 and PKCS #15 v1.1 (the
// directories). Section numbers in this package are of these.
package smartkort

import (
	"context"
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
	"smartkiosk/device/slot"
)

// ErrUnknownCard says that a card answers, but has no ISO 7816-15 application
// that can be found. What a profile would have to say about it is not public.
var ErrUnknownCard = errors.New("card of an unknown kind")

// ErrMalformed says that the card's own description of itself is broken.
var ErrMalformed = errors.New("malformed card data")

// Driver opens cards. The zero value knows the profiles compiled in and
// remembers nothing.
type Driver struct {
	Profiles *Profiles // nil for BuiltinProfiles
	Cache    *Cache    // nil for none
}

// Card is one card for the length of one visit. It is not for concurrent use.
type Card struct {
	line     *line
	profiles *Profiles
	profile  *Profile
	cache    *Cache

	app      application
	at       place  // where the card's selection stands
	mode     int    // index into selectModes
	stepwise bool   // the card selects no paths, only file by file
	byName   bool   // it does not select the application by its path
	class    []byte // the one in which the card took VERIFY, once it is known
	odf      odf
	layout   *layout // what cards that look like this one have in common, while nothing speaks against it

	token    TokenInfo
	tokenRaw []byte
	files    map[string][]byte // content read in this visit, by Path.key
	memory   map[string][]byte // content that is remembered, likewise
	offered  bool              // AuthenticationCertificates was called
	proven   bool              // a key of the card has signed

	// Directories, read when first asked for.
	keys         []Key
	keysRead     bool
	pins         []PIN
	pinsRead     bool
	certificates []certificateObject
	certsRead    bool

	uses map[string]int // signatures that a PIN, by its ID, is good for yet
}

// Open opens a card with a Driver of no settings.
func Open(ctx context.Context, conn slot.Conn) (*Card, error) {
	return Driver{}.Open(ctx, conn)
}

// Open finds the ISO 7816-15 application of the card behind conn, which it
// takes over: Close ends both. Errors: ErrUnknownCard, ErrMalformed,
// ErrSecureMessaging, ErrTimeout, those of conn (slot.ErrNoCard when the card
// is pulled); conn is then still the caller's to close.
func (d Driver) Open(ctx context.Context, conn slot.Conn) (*Card, error) {
	profiles := d.Profiles
	if profiles == nil {
		profiles = BuiltinProfiles
	}
	profile := profiles.For(conn.ATR(), nil)
	c := &Card{
		line: newLine(conn, profile), profiles: profiles, profile: profile, cache: d.Cache,
		files: map[string][]byte{}, uses: map[string]int{},
	}
	if err := c.find(ctx); err != nil {
		return nil, fmt.Errorf("cannot open card with ATR %X: %w", conn.ATR(), err)
	}
	return c, nil
}

// Close resets the card, so that no verified PIN is left behind, and lets go
// of it. It may be called again and after the card is gone.
func (c *Card) Close() error {
	if c.proven {
		c.remember()
		c.proven = false
	}
	return c.line.Close()
}

// command carries out one command.
func (c *Card) command(ctx context.Context, cmd apdu.Command) (apdu.Response, error) {
	return c.line.exchange(ctx, cmd)
}
