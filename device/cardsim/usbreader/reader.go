// Package usbreader is a USB smart card reader in software for the cards of
// cardsim: a CCID class device (USB Device Class: Smart Card, CCID, revision 1.1)
// behind USB/IP. When it is attached to a Linux kernel with vhci_hcd (Attach), the
// kernel's USB core, libusb, libccid and pcscd use it like a real reader.
//
// The reader exchanges TPDUs, as most readers do. For a card with T=0 it passes
// TPDUs on; for a card with T=1 the host makes the blocks and the card answers
// them. Cards can be inserted and removed at any time, also while the reader is
// unplugged. They may be mute, and a fault can be injected at each command. A make
// with keys asks a Keypad for the PIN.
package usbreader

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"smartkiosk/device/cardsim"
)

// Config configures a reader.
type Config struct {
	Model  Model
	Keypad Keypad              // the holder at a make with keys; nil means that no PIN is typed
	Strike func(Command) Fault // chooses the fault at each command to the card; nil means no faults
}

// Reader is a reader with one slot. Its methods may be called from any goroutine,
// also while the reader is unplugged.
type Reader struct {
	config  Config
	changed chan struct{} // signals that a card was inserted or removed

	mu      sync.Mutex
	plugged bool
	card    *cardsim.Card // the card in the slot, or nil
	contact *contact      // the powered card, or nil
	moves   []bool        // events that the host does not know yet: true for inserted, false for removed
}

// New returns a reader that is empty and unplugged.
func New(c Config) *Reader {
	return &Reader{config: c, changed: make(chan struct{}, 1)}
}

// Insert inserts a card. It first removes a card that is in the slot, faster than
// a person can: a host that had switched off that card's power cannot tell that
// the card was replaced.
func (r *Reader) Insert(card *cardsim.Card) { r.put(card) }

// Remove removes the card, if there is one. A running exchange with it gets no
// answer.
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
	r.moves = r.moves[max(0, len(r.moves)-2):] // older events cancel each other out
	r.card = card
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// powerOff switches off the card's power. The caller holds r.mu.
func (r *Reader) powerOff() {
	if r.contact != nil {
		r.contact.cancel()
		r.contact.card.PowerOff()
		r.contact = nil
	}
}

// Serve plugs in the reader, with the host at the other end of conn. It returns
// nil when ctx ends, the host closes conn or a fault unplugs the reader. The card
// then has no power. Serve closes conn. It fails when the reader is plugged in
// already, and when the host does not send USB/IP.
func (r *Reader) Serve(ctx context.Context, conn net.Conn) error {
	if err := r.plug(); err != nil {
		conn.Close()
		return fmt.Errorf("cannot serve reader: %w", err)
	}
	return r.serve(ctx, conn)
}

var errPlugged = errors.New("the reader is plugged in already")

func (r *Reader) plug() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.plugged {
		return errPlugged
	}
	r.plugged = true
	return nil
}

// serve implements Serve after the reader is plugged in.
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
