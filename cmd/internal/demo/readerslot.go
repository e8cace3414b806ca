package demo

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/reader"
	"smartkiosk/device/slot"
)

// The address at which Debian's vsmartcard-vpcd waits for the card of its first
// reader, and that reader's name in PC/SC.
const (
	vpcdAddress = "127.0.0.1:35963"
	vpcdReader  = "Virtual PCD 00 00"
)

// seeChange limits the wait until pcscd has noticed an insertion or a removal. It
// polls a virtual reader a few times a second.
const seeChange = 3 * time.Second

// ReaderSlot is the first virtual reader of a real pcscd, with a software card in
// it. All of PC/SC between card and kiosk is real.
type ReaderSlot struct {
	reader *reader.Reader
	deck   Deck
	log    *slog.Logger

	mu       sync.Mutex
	inserted string
	pull     func()

	seen sync.Mutex // guards the fields below
	now  slot.State
	news chan struct{} // closed at the next change
}

// NewReaderSlot returns the slot of the virtual reader that StartPCSC provides.
func NewReaderSlot(deck Deck, log *slog.Logger) *ReaderSlot {
	return &ReaderSlot{
		reader: reader.New(vpcdReader, log), deck: deck, log: log,
		pull: func() {}, news: make(chan struct{}),
	}
}

// Connect implements slot.Slot.
func (s *ReaderSlot) Connect(ctx context.Context) (slot.Conn, error) { return s.reader.Connect(ctx) }

// Watch implements slot.Slot. Only the kiosk calls it; Remove listens to it.
func (s *ReaderSlot) Watch(ctx context.Context) <-chan slot.Event {
	out := make(chan slot.Event)
	go func() {
		defer close(out)
		for e := range s.reader.Watch(ctx) {
			s.seen.Lock()
			s.now = e.State
			close(s.news)
			s.news = make(chan struct{})
			s.seen.Unlock()
			select {
			case out <- e:
			case <-ctx.Done():
			}
		}
	}()
	return out
}

// Insert inserts the card of this name and removes the one that was in before.
func (s *ReaderSlot) Insert(name string) error {
	card, err := s.deck.card(name)
	if err != nil {
		return err
	}
	s.Remove()
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := cardsim.ServeVPCD(ctx, vpcdAddress, card); err != nil && !errors.Is(err, context.Canceled) {
			s.log.Error("the virtual reader lost its card", "err", err)
		}
	}()
	s.inserted, s.pull = name, func() { cancel(); <-ended }
	s.await(slot.Present, slot.Mute)
	return nil
}

// Remove removes the card if there is one.
func (s *ReaderSlot) Remove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inserted == "" {
		return
	}
	s.pull()
	s.inserted, s.pull = "", func() {}
	s.await(slot.Empty, slot.NoReader)
}

// await waits until pcscd has noticed the change. The virtual reader accepts no new
// card before that.
func (s *ReaderSlot) await(states ...slot.State) {
	limit := time.After(seeChange)
	for {
		s.seen.Lock()
		now, news := s.now, s.news
		s.seen.Unlock()
		if slices.Contains(states, now) {
			return
		}
		select {
		case <-news:
		case <-limit:
			s.log.Warn("pcscd does not see what is done with the card", "reader", vpcdReader)
			return
		}
	}
}

// Inserted returns the name of the inserted card, or "".
func (s *ReaderSlot) Inserted() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inserted
}
