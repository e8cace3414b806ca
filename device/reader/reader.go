// Package reader is the slot that a PC/SC reader has, through pcscd and
// libpcsclite (github.com/ebfe/scard): readers that come and go, cards that
// come, go, are swapped and stay mute, and a service that may die and come
// back. It is the one package with cgo.
//
// Everything waits for pcscd to tell; nothing looks again and again. Only
// while there is no pcscd to wait for is it called upon every few seconds.
package reader

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ebfe/scard"

	"smartkiosk/device/slot"
)

// Reader is the readers whose names match, taken as one slot: the card in any
// of them is the slot's card. It implements slot.Slot.
type Reader struct {
	match string
	log   *slog.Logger
	claim chan struct{} // holds one token while a Conn has not let go of its card
	alias uint64        // of the Conn, of which there is one at a time

	mu      sync.Mutex
	current string // reader in which Watch last saw a card
	device  string // file of the USB device that the reader of that card is, "" when that is not known
}

var _ slot.Slot = (*Reader)(nil)

// New makes a slot of the readers whose names contain match, which are all
// for "". It needs neither reader nor pcscd to be there yet.
func New(match string, log *slog.Logger) *Reader {
	return &Reader{match: match, log: log, claim: make(chan struct{}, 1), alias: callers.Add(1)}
}

// maxReaders is how many pcsc-lite takes in one question
// (PCSCLITE_MAX_READERS_CONTEXTS), less the one for readers that come and go.
const maxReaders = 15

// readers lists the readers that match, none being no error.
func (r *Reader) readers(pcsc *scard.Context) ([]string, error) {
	var names []string
	var err error
	for range 3 { // a reader that comes in the middle makes the list too long for its buffer
		if names, err = pcsc.ListReaders(); err != scard.ErrInsufficientBuffer {
			break
		}
	}
	if err == scard.ErrNoReadersAvailable {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list readers: %w", err)
	}
	var matching []string
	for _, name := range names {
		if strings.Contains(name, r.match) && len(matching) < maxReaders {
			matching = append(matching, name)
		}
	}
	return matching, nil
}

// setCurrent notes in which reader there is a card, a new one.
func (r *Reader) setCurrent(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current, r.device = name, ""
}

// Connect implements slot.Slot: the card is opened exclusively and held in
// one transaction. While a Conn of this Reader is not yet closed, Connect
// waits. Errors: slot.ErrNoCard, a card that another program holds, no pcscd,
// the context's.
func (r *Reader) Connect(ctx context.Context) (slot.Conn, error) {
	select {
	case r.claim <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot connect to card: %w", ctx.Err())
	}
	c, err := r.connect()
	if err != nil {
		<-r.claim
		return nil, fmt.Errorf("cannot connect to card: %w", err)
	}
	return c, nil
}

func (r *Reader) connect() (*conn, error) {
	// A context of its own: a blocked GetStatusChange holds the lock of its
	// context, and Connect would wait for it.
	pcsc, err := scard.EstablishContext()
	if err != nil {
		return nil, fmt.Errorf("no PC/SC service: %w", err)
	}
	c, err := r.openAny(pcsc)
	if err != nil {
		pcsc.Release()
		return nil, err
	}
	c.pcsc, c.alias, c.letGo = pcsc, alias(c.reader, r.alias), func() { <-r.claim }
	c.askFeatures()
	r.setDevice(c.reader, usbDevice(c.card))
	return c, nil
}

// openAny opens the card that Watch saw, else any.
func (r *Reader) openAny(pcsc *scard.Context) (*conn, error) {
	names, err := r.readers(pcsc)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	current := r.current
	r.mu.Unlock()
	last := fmt.Errorf("%w: no reader", slot.ErrNoCard)
	for _, first := range []bool{true, false} {
		for _, name := range names {
			if (name == current) != first {
				continue
			}
			c, err := open(pcsc, name)
			if err == nil {
				return c, nil
			}
			if last = err; !errors.Is(err, slot.ErrNoCard) {
				return nil, err
			}
		}
	}
	return nil, last
}

// open powers the card in one reader up and claims it.
func open(pcsc *scard.Context, name string) (*conn, error) {
	card, err := pcsc.Connect(name, scard.ShareExclusive, scard.ProtocolT0|scard.ProtocolT1)
	if err != nil {
		return nil, fmt.Errorf("reader %q: %w", name, explain(err))
	}
	if err = card.BeginTransaction(); err == nil {
		var status *scard.CardStatus
		if status, err = card.Status(); err == nil {
			return &conn{reader: name, card: card, protocol: card.ActiveProtocol(), atr: status.Atr, control: card.Control}, nil
		}
	}
	card.Disconnect(scard.ResetCard)
	return nil, fmt.Errorf("reader %q: %w", name, explain(err))
}

// explain turns what PC/SC says of a card that is not there, or is no longer,
// into slot.ErrNoCard.
func explain(err error) error {
	switch err {
	case scard.ErrNoSmartcard, scard.ErrRemovedCard, scard.ErrUnresponsiveCard, scard.ErrUnpoweredCard,
		scard.ErrReaderUnavailable, scard.ErrUnknownReader, scard.ErrNoReadersAvailable,
		// A service that is gone, or is another one now.
		scard.ErrNoService, scard.ErrServiceStopped, scard.ErrInvalidHandle:
		return fmt.Errorf("%w: %v", slot.ErrNoCard, err)
	case scard.ErrSharingViolation:
		return fmt.Errorf("another program holds the card: %w", err)
	}
	return err
}

// alias names a reader for GetStatusChange. scard keeps the bytes of a name
// alive in a map by that name, so two calls at once on one reader would take
// them from each other; what follows the NUL makes the key another, and
// pcsc-lite does not see it.
func alias(name string, caller uint64) string {
	return name + "\x00" + strconv.FormatUint(caller, 10)
}

var callers atomic.Uint64
