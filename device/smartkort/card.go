// Package smartkort drives identity cards that describe themselves by ISO/IEC
// 7816-15 (which grew out of PKCS #15): it finds the application, reads the
// directories of keys, certificates and PINs, verifies a PIN, and signs with a
// key of the card as a crypto.Signer. The Buypass Smartkort uses the same
// standard. Differences between kinds of card are data: profiles in profiles/
// and in folders of the installation.
//
// The driver never guesses a PIN. It sends a PIN only when the holder entered
// one, sends it once, and never repeats it, whatever happens on the way.
//
// The driver sends a card as few commands as possible: it reads the
// directories that lead to a certificate and that certificate to its own
// length, then verifies the PIN and signs. A Driver with a Cache reads only
// the identity of a card that it has met before. From a new card of a kind
// that it has met before, it does not read where keys and certificates are.
//
// # APDU and TLV code
//
// APDUs and BER-TLV come from device/apdu and device/apdu/tlv. The module
// cunicu.li/go-iso7816 (v0.8.8) was evaluated and rejected: its Send follows
// 61xx without a bound, does not know 6Cxx, drops the data of 62xx warnings
// (READ BINARY at the end of a file), takes no context and leaves the PIN in
// its buffers. Its TLV decoder builds whole trees from lengths that the card
// made up, and refuses padding. Only its constants would be of use.
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
	"maps"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/slot"
)

// ErrUnknownCard means that the card answers, but the driver finds no ISO
// 7816-15 application on it. Such a card needs a profile that describes it.
var ErrUnknownCard = errors.New("card of an unknown kind")

// ErrMalformed means that the card's description of itself cannot be decoded.
var ErrMalformed = errors.New("malformed card data")

// Driver opens cards. The zero value uses the built-in profiles and has no
// cache.
type Driver struct {
	Profiles *Profiles // nil for BuiltinProfiles
	Cache    *Cache    // nil for none
}

// Card is an open card during one visit. It must not be used concurrently.
type Card struct {
	channel  *channel
	profiles *Profiles
	profile  *Profile
	cache    *Cache

	app       application
	at        place  // the DF that is selected on the card
	mode      int    // index into selectModes
	modeWorks bool   // the card has processed a SELECT in this mode
	block     int    // the most bytes that the card returns at a time, 0 when unknown
	efOnly    bool   // the card selects an EF only with P1 = 02
	stepwise  bool   // the card cannot select a whole path, only file by file
	byName    bool   // the card cannot select the application by its path
	shortIDs  bool   // the card has short EF identifiers
	noShort   bool   // the card has none
	class     []byte // the class in which the card accepted VERIFY, once known
	odf       odf
	layout    *layout // remembered layout of cards like this one; nil when unknown or contradicted

	token    TokenInfo
	tokenRaw []byte
	files    map[string][]byte // content read in this visit, by Path.key
	memory   map[string][]byte // content remembered from earlier visits, by Path.key
	offered  bool              // AuthenticationCertificates was called
	proven   bool              // a key of the card made a valid signature

	// Directories, read on first use.
	keys         []Key
	keysRead     bool
	pins         []PIN
	pinsRead     bool
	certificates []certificateObject
	certsRead    bool
	headRead     bool // certificates has the first ones of the directory
	wholeCerts   bool // read the whole directory

	pinProblem error   // why a PIN of the directory cannot be used, nil when all can
	problems   []error // what was skipped, for the technician

	remembered map[string]recipe // by the name of a scheme: the recipe to begin with
	attempts   []Attempt         // recipes that were tried and failed
	worked     string            // the recipe that made the last valid signature
	tellsTries bool              // the card has told the tries left
	padRefused bool              // the reader with keys does not ask for the PIN

	learning     bool // try odd recipes too
	skip         int  // recipes to skip when learning
	tried        int  // recipes that failed
	lessonEnds   time.Time
	workedRecipe recipe // the recipe that made the last valid signature
	learned      learnedFrom

	uses map[string]int // signatures since the PIN was verified, by the PIN's ID
}

// Open finds the ISO 7816-15 application of the card behind conn. On success
// the Card owns conn, and Close closes both. Errors: ErrUnknownCard,
// ErrMalformed, ErrSecureMessaging, ErrTimeout, and those of conn
// (slot.ErrNoCard when the card is pulled); the caller must then close conn.
func (d Driver) Open(ctx context.Context, conn slot.Conn) (*Card, error) {
	profiles := d.Profiles
	if profiles == nil {
		profiles = BuiltinProfiles
	}
	profile := profiles.For(conn.ATR(), nil)
	c := &Card{
		channel: newChannel(conn, profile), profiles: profiles, profile: profile, cache: d.Cache,
		files: map[string][]byte{}, uses: map[string]int{}, remembered: map[string]recipe{},
	}
	if k := d.Cache.kind(conn.ATR()); k != nil {
		maps.Copy(c.remembered, k.Recipes)
	}
	if err := c.find(ctx); err != nil {
		return nil, fmt.Errorf("cannot open card with ATR %X: %w", conn.ATR(), err)
	}
	return c, nil
}

// Close resets the card, so that no PIN stays verified, and closes the
// connection. It may be called more than once and after the card was removed.
func (c *Card) Close() error {
	if c.proven {
		c.remember()
		c.proven = false
	}
	return c.channel.Close()
}

// note records a part of the card's description that was skipped because it is
// invalid.
func (c *Card) note(what string, err error) {
	err = fmt.Errorf("%s: %w", what, err)
	for _, other := range c.problems {
		if other.Error() == err.Error() {
			return
		}
	}
	if len(c.problems) < maxObjects {
		c.problems = append(c.problems, err)
	}
}

// skippable reports whether a part of the card's description can be skipped
// after err: the card refused it or it is invalid. Transport errors are not
// skippable.
func skippable(err error) bool { return isStatus(err) || errors.Is(err, ErrMalformed) }

// command sends one command and returns the card's response.
func (c *Card) command(ctx context.Context, cmd apdu.Command) (apdu.Response, error) {
	return c.channel.exchange(ctx, cmd)
}
