package cardsim

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"smartkiosk/device/slot"
)

// Slot is a card slot in the same process. It implements slot.Slot.
type Slot struct {
	reader string

	mu        sync.Mutex
	card      *Card // nil when empty
	insertion uint64
	claimed   *conn
	changed   chan struct{} // closed at the next change
}

var _ slot.Slot = (*Slot)(nil)

// NewSlot makes an empty slot. reader is its name.
func NewSlot(reader string) *Slot {
	return &Slot{reader: reader, changed: make(chan struct{})}
}

// Insert inserts a card. If there is a card in the slot, it is removed first.
func (s *Slot) Insert(card *Card) { s.put(card) }

// Remove removes the card, if there is one.
func (s *Slot) Remove() { s.put(nil) }

func (s *Slot) put(card *Card) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.card != nil && !s.card.answersAfterPull() {
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
			event, n, changed := s.state()
			switch {
			case event.State == sent && n == insertion:
				select {
				case <-changed:
				case <-ctx.Done():
					return
				}
				continue
			case event.State == slot.Empty && sent == slot.Empty: // inserted and removed in the meantime
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

// state returns the slot's state, the number of the insertion, and a channel
// that is closed when either changes.
func (s *Slot) state() (slot.Event, uint64, <-chan struct{}) {
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
	c, err := s.claim()
	if err != nil {
		return nil, fmt.Errorf("cannot connect: %w", err)
	}
	c.card.waitReset(c.atr)
	return c, nil
}

func (s *Slot) claim() (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.card == nil {
		return nil, slot.ErrNoCard
	}
	if s.claimed != nil {
		return nil, errors.New("the card is in use")
	}
	atr := s.card.PowerOn()
	if atr == nil {
		return nil, fmt.Errorf("no answer to reset: %w", slot.ErrNoCard)
	}
	s.claimed = &conn{slot: s, card: s.card, atr: atr}
	return s.claimed, nil
}

// conn is an exclusive connection to the card that was in the slot at Connect.
type conn struct {
	slot *Slot
	card *Card
	atr  []byte
}

func (c *conn) ATR() []byte { return c.atr }

func (c *conn) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	response, in := c.answer(command)
	if in {
		c.card.waitAPDU(command, response)
		in = c.holds()
	}
	if !in {
		return nil, fmt.Errorf("cannot transmit: %w", slot.ErrNoCard)
	}
	return response, nil
}

// answer sends the command to the card, if it is still in the slot.
func (c *conn) answer(command []byte) (response []byte, in bool) {
	c.slot.mu.Lock()
	defer c.slot.mu.Unlock()
	if c.slot.claimed != c && !c.card.answersAfterPull() {
		return nil, false
	}
	return c.card.Transmit(command), true
}

// holds reports whether the card is still in the slot, or acts as if it were.
func (c *conn) holds() bool {
	c.slot.mu.Lock()
	defer c.slot.mu.Unlock()
	return c.slot.claimed == c || c.card.answersAfterPull()
}

func (c *Card) answersAfterPull() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.evil == AnswersAfterPull
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
