// Package usbreader is a USB smart card reader in software, which plays the
// cards of cardsim: a CCID class device (USB Device Class: Smart Card, CCID,
// revision 1.1) that speaks USB/IP. Attached to a Linux kernel with vhci_hcd
// (Attach), it is driven by the kernel's own USB core, libusb, libccid and
// pcscd, as one that is bought.
//
// It exchanges TPDUs, as most readers do: with a card of T=0 commands go through
// as that protocol has them, with one of T=1 the host makes the blocks and the
// card answers them. Cards come and go while it is plugged in or not, may be
// mute, and faults can be made to strike at a command; a make with keys of its
// own asks a Keypad for the PIN.
package usbreader

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"smartkiosk/device/cardsim"
)

// Config is what a reader is made of.
type Config struct {
	Model  Model
	Keypad Keypad              // who types on a make with keys; nil for nobody, ever
	Strike func(Command) Fault // what goes wrong at each command to the card; nil for nothing, ever
}

// Reader is a reader with one slot. Its methods may be called from several
// goroutines, and whether it is plugged in or not.
type Reader struct {
	config  Config
	changed chan struct{} // a card came or went, since the last look

	mu      sync.Mutex
	plugged bool
	card    *cardsim.Card // in the slot; nil for none
	contact *contact      // with the card under power; nil without
	moves   []bool        // what the host was not told yet: a card has gone, one has come
}

// New makes a reader with nothing in it, plugged in nowhere.
func New(c Config) *Reader {
	return &Reader{config: c, changed: make(chan struct{}, 1)}
}

// Insert puts a card in. One that is in already is pulled first, faster than a
// hand does: a host that had taken the power from it cannot tell the two apart.
func (r *Reader) Insert(card *cardsim.Card) { r.put(card) }

// Remove pulls the card, if there is one, whatever is under way: an exchange
// with it goes unanswered.
func (r *Reader) Remove() { r.put(nil) }

func (r *Reader) put(card *cardsim.Card) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.powerOff()
	if r.card != nil {
		r.moves = append(r.moves, false)
	}
	if card != nil {
		r.moves = append(r.moves, true)
	}
	r.moves = r.moves[max(0, len(r.moves)-2):] // what came to nothing in between is not worth telling
	r.card = card
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// powerOff takes the power from the card. r.mu is held.
func (r *Reader) powerOff() {
	if r.contact != nil {
		r.contact.cancel()
		r.contact.card.PowerOff()
		r.contact = nil
	}
}

// Serve is the reader plugged in, with the host at the other end of conn, until
// ctx ends, the host closes conn or a fault unplugs it, when it gives nil. The
// card then has no power. It closes conn. It fails when the reader is plugged
// in already and when what comes is not USB/IP.
func (r *Reader) Serve(ctx context.Context, conn net.Conn) error {
	if err := r.plug(); err != nil {
		conn.Close()
		return fmt.Errorf("cannot serve reader: %w", err)
	}
	return r.serve(ctx, conn)
}

var errPlugged = errors.New("it is plugged in already")

func (r *Reader) plug() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.plugged {
		return errPlugged
	}
	r.plugged = true
	return nil
}

// serve is Serve once the reader is plugged in.
func (r *Reader) serve(ctx context.Context, conn net.Conn) error {
	defer conn.Close()
	defer r.unplug()
	if err := serve(ctx, r, conn); err != nil {
		return fmt.Errorf("cannot serve reader: %w", err)
	}
	return nil
}

func (r *Reader) unplug() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.powerOff()
	r.plugged = false
}
