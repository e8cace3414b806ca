// Package reader implements slot.Slot with PC/SC readers, through pcscd and
// libpcsclite (github.com/ebfe/scard). Readers may be plugged in and out, cards
// may be replaced or mute, and pcscd may be restarted at any time.
//
// The package needs cgo. It waits for events from pcscd and does not poll,
// except while pcscd is not running: then it tries to connect every few seconds.
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

// Reader presents all readers whose names match as one slot: a card in any of
// them is the slot's card. It implements slot.Slot.
type Reader struct {
	match string
	log   *slog.Logger

	// IgnorePINPad makes Conn.HasPINPad return false, for a reader whose keys
	// do not work. Set it before the first use.
	IgnorePINPad bool

	claim chan struct{} // holds one token while a Conn is open
	alias uint64        // for the name in the open Conn's calls, see alias

	mu      sync.Mutex
	current string          // the reader in which Watch last saw a card
	device  string          // the file of that reader's USB device, "" if unknown
	noPads  map[string]bool // readers that did not ask for a PIN, by name
}

var _ slot.Readers = (*Reader)(nil)

// New returns a slot with the readers whose names contain match; "" matches all
// readers. Readers and pcscd may be started later.
func New(match string, log *slog.Logger) *Reader {
	return &Reader{match: match, log: log, claim: make(chan struct{}, 1), alias: callers.Add(1)}
}

// maxReaders is the number of readers that pcsc-lite accepts in one call
// (PCSCLITE_MAX_READERS_CONTEXTS), less one for the notification pseudo reader.
const maxReaders = 15

// listReaders lists all readers. An empty list is no error.
func listReaders(pcsc *scard.Context) (names []string, err error) {
	for range 3 { // a reader that is plugged in meanwhile makes the list too long for its buffer
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
	return names, nil
}

// matching returns those of the readers that belong to the slot.
func (r *Reader) matching(names []string) (matching []string) {
	for _, name := range names {
		if strings.Contains(name, r.match) && len(matching) < maxReaders {
			matching = append(matching, name)
		}
	}
	return matching
}

// noReader says which reader was looked for and which readers there are.
func (r *Reader) noReader(names []string) error {
	switch {
	case len(names) == 0:
		return errors.New("no card reader is connected")
	case len(r.matching(names)) == 0:
		return &slot.NoMatchError{Match: r.match, Readers: names}
	}
	return fmt.Errorf("the reader does not work: %q", r.matching(names))
}

// setCurrent records the reader in which a new card was inserted.
func (r *Reader) setCurrent(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current, r.device = name, ""
}

// Connect implements slot.Slot. It opens the card exclusively and in one
// transaction. It waits until an earlier Conn of this Reader is closed. It
// fails with slot.ErrNoCard, when another program uses the card, when there is
// no PC/SC service, and when ctx ends.
func (r *Reader) Connect(ctx context.Context) (slot.Conn, error) { return r.claimCard(ctx, "") }

// ConnectTo implements slot.Readers.
func (r *Reader) ConnectTo(ctx context.Context, reader string) (slot.Conn, error) {
	return r.claimCard(ctx, reader)
}

// claimCard connects to the card in a reader; "" means any.
func (r *Reader) claimCard(ctx context.Context, reader string) (slot.Conn, error) {
	select {
	case r.claim <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot connect to card: %w", ctx.Err())
	}
	c, err := r.connect(reader)
	if err != nil {
		<-r.claim
		return nil, fmt.Errorf("cannot connect to card: %w", err)
	}
	return c, nil
}

func (r *Reader) connect(reader string) (*conn, error) {
	// Connect needs its own PC/SC context, because Watch's blocked
	// GetStatusChange holds the lock of its context.
	pcsc, err := scard.EstablishContext()
	if err != nil {
		return nil, fmt.Errorf("no PC/SC service: %w", err)
	}
	var c *conn
	if reader != "" {
		c, err = open(pcsc, reader)
	} else {
		c, err = r.openAny(pcsc)
	}
	if err != nil {
		pcsc.Release()
		return nil, err
	}
	c.pcsc, c.alias, c.letGo = pcsc, alias(c.reader, r.alias), func() { <-r.claim }
	c.left = c.cardLeft
	r.preparePad(c)
	r.setDevice(c.reader, usbDevice(c.card))
	return c, nil
}

// preparePad finds out whether a reader has keys that can be used.
func (r *Reader) preparePad(c *conn) {
	r.mu.Lock()
	ignore := r.IgnorePINPad || r.noPads[c.reader]
	r.mu.Unlock()
	if ignore {
		return
	}
	c.askFeatures()
	c.padRefused = func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.noPads == nil {
			r.noPads = map[string]bool{}
		}
		r.noPads[c.reader] = true
		r.log.Warn("the reader's keys cannot be used: the kiosk's keypad takes the PIN", "reader", c.reader, "err", err)
	}
}

// openAny opens the card that Watch reported, or else any card.
func (r *Reader) openAny(pcsc *scard.Context) (*conn, error) {
	all, err := listReaders(pcsc)
	if err != nil {
		return nil, err
	}
	names := r.matching(all)
	r.mu.Lock()
	current := r.current
	r.mu.Unlock()
	last := fmt.Errorf("%w: %w", slot.ErrNoCard, r.noReader(all))
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

// open powers up and claims the card in one reader.
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

// explain turns PC/SC's errors about a missing or removed card into
// slot.ErrNoCard.
func explain(err error) error {
	switch err {
	case scard.ErrNoSmartcard, scard.ErrRemovedCard, scard.ErrUnresponsiveCard, scard.ErrUnpoweredCard,
		scard.ErrReaderUnavailable, scard.ErrUnknownReader, scard.ErrNoReadersAvailable,
		// pcscd ended or was restarted.
		scard.ErrNoService, scard.ErrServiceStopped, scard.ErrInvalidHandle:
		return fmt.Errorf("%w: %v", slot.ErrNoCard, err)
	case scard.ErrSharingViolation:
		return fmt.Errorf("another program uses the card: %w", err)
	}
	return err
}

// alias returns a reader's name for GetStatusChange. The scard package keeps
// the bytes of a name alive in a map with the name as key, so two concurrent
// calls for one reader would remove each other's entry. The suffix after the
// NUL makes the key unique; pcsc-lite does not read it.
func alias(name string, caller uint64) string {
	return name + "\x00" + strconv.FormatUint(caller, 10)
}

var callers atomic.Uint64
