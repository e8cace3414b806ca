package cardsim

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"smartkiosk/device/slot"
)

// Slot is a card slot in process. It implements slot.Slot.
type Slot struct {
	reader string

	mu        sync.Mutex
	card      *Card // nil when empty
	insertion uint64
	claimed   *conn
	changed   chan struct{} // closed at the next change
}

var _ slot.Slot = (*Slot)(nil)

// NewSlot makes an empty slot; reader is the name it goes by.
func NewSlot(reader string) *Slot {
	return &Slot{reader: reader, changed: make(chan struct{})}
}

// Insert puts a card in. One that is in already is pulled first.
func (s *Slot) Insert(card *Card) { s.put(card) }

// Remove pulls the card, if there is one.
func (s *Slot) Remove() { s.put(nil) }

func (s *Slot) put(card *Card) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.card != nil {
		s.card.PowerOff()
	}
	s.card, s.claimed = card, nil
	s.insertion++
	close(s.changed)
	s.changed = make(chan struct{})
}

// Watch implements slot.Slot.
func (s *Slot) Watch(ctx context.Context) <-chan slot.Event {
	events := make(chan slot.Event)
	go func() {
		defer close(events)
		sent, insertion := slot.NoReader, uint64(0)
		for {
			event, n, changed := s.look()
			switch {
			case event.State == sent && n == insertion:
				select {
				case <-changed:
				case <-ctx.Done():
					return
				}
				continue
			case event.State == slot.Empty && sent == slot.Empty: // in and out between two looks
				insertion = n
				continue
			case event.State != slot.Empty && (sent == slot.Present || sent == slot.Mute):
				event = slot.Event{State: slot.Empty, Reader: s.reader}
				n = insertion
			}
			select {
			case events <- event:
				sent, insertion = event.State, n
			case <-ctx.Done():
				return
			}
		}
	}()
	return events
}

// look gives the slot's state, the number of the insertion it belongs to, and
// what is closed when either changes.
func (s *Slot) look() (slot.Event, uint64, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	event := slot.Event{State: slot.Empty, Reader: s.reader}
	if s.card != nil {
		if event.ATR = s.card.ATR(); event.ATR != nil {
			event.State = slot.Present
		} else {
			event.State = slot.Mute
		}
	}
	return event, s.insertion, s.changed
}

// Connect implements slot.Slot.
func (s *Slot) Connect(ctx context.Context) (slot.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.card == nil {
		return nil, fmt.Errorf("cannot connect: %w", slot.ErrNoCard)
	}
	if s.claimed != nil {
		return nil, errors.New("cannot connect: the card is in use")
	}
	atr := s.card.PowerOn()
	if atr == nil {
		return nil, fmt.Errorf("cannot connect: no answer to reset: %w", slot.ErrNoCard)
	}
	s.claimed = &conn{slot: s, atr: atr}
	return s.claimed, nil
}

// conn is a claim on the card that was in the slot when it was made.
type conn struct {
	slot *Slot
	atr  []byte
}

func (c *conn) ATR() []byte { return c.atr }

func (c *conn) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.slot.mu.Lock()
	defer c.slot.mu.Unlock()
	if c.slot.claimed != c {
		return nil, fmt.Errorf("cannot transmit: %w", slot.ErrNoCard)
	}
	return c.slot.card.Transmit(command), nil
}

func (c *conn) Close() error {
	c.slot.mu.Lock()
	defer c.slot.mu.Unlock()
	if c.slot.claimed == c {
		c.slot.claimed = nil
		c.slot.card.PowerOff()
	}
	return nil
}
