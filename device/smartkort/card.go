// Package smartkort drives identity cards that describe themselves by ISO/IEC
// 7816-15 (which grew out of PKCS #15): it finds the application, reads the
// directories of keys, certificates and PINs, verifies a PIN and lets a key of
// the card sign as a crypto.Signer. The Buypass Smartkort is spoken to through
// the same standard; what differs from kind to kind is data, in profile.go.
//
// Nothing here guesses with a holder's PIN: an attempt is made when the holder
// makes one, is sent once, and is not repeated whatever happens on the way.
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

// Bounds against cards that are broken or hostile. A visit takes some 40 APDUs.
const (
	maxAPDUs   = 256       // for one Card, from Open to Close
	maxBlocks  = 64        // reads of one file
	maxFile    = 16 * 1024 // bytes of one file: 64 blocks of 256
	maxObjects = 64        // objects of one directory
	maxCerts   = 16        // certificates read from one card
)

// ErrUnknownCard says that a card answers, but has no ISO 7816-15 application
// that can be found. What a profile would have to say about it is not public.
var ErrUnknownCard = errors.New("card of an unknown kind")

// ErrMalformed says that the card's own description of itself is broken.
var ErrMalformed = errors.New("malformed card data")

// Card is one card for the length of one visit. It is not for concurrent use.
type Card struct {
	conn     *limited
	profile  profile
	app      application
	at       place // where the card's selection stands
	mode     int   // index into selectModes
	stepwise bool  // the card selects no paths, only file by file
	odf      odf

	// Directories, read when first asked for.
	keys         []Key
	keysRead     bool
	pins         []PIN
	pinsRead     bool
	token        *TokenInfo
	certificates []certificateObject
	certsRead    bool
}

// Open finds the ISO 7816-15 application of the card behind conn, which it
// takes over: Close ends both. Errors: ErrUnknownCard, ErrMalformed, those of
// conn (slot.ErrNoCard when the card is pulled); conn is then still the
// caller's to close.
func Open(ctx context.Context, conn slot.Conn) (*Card, error) {
	c := &Card{
		conn:    &limited{Conn: conn, t0: !apdu.OffersT1(conn.ATR())},
		profile: profileFor(conn.ATR()),
	}
	if err := c.find(ctx); err != nil {
		return nil, fmt.Errorf("cannot open card with ATR %X: %w", conn.ATR(), err)
	}
	return c, nil
}

// Close resets the card, so that no verified PIN is left behind, and lets go
// of it. It may be called again and after the card is gone.
func (c *Card) Close() error { return c.conn.Close() }

// limited counts the commands of one Card.
type limited struct {
	slot.Conn
	t0   bool // the card knows no other transmission protocol
	sent int
}

func (l *limited) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if l.sent >= maxAPDUs {
		return nil, fmt.Errorf("%w: %d APDUs in one visit", apdu.ErrEndless, l.sent)
	}
	l.sent++
	if l.t0 {
		command = apdu.T0(command)
	}
	return l.Conn.Transmit(ctx, command)
}
