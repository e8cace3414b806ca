package scproxy

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/slot"
)

// idle is how long a session may be silent before the janitor ends it.
const idle = 10 * time.Second

// sessions is the one session that there can be, or none.
type sessions struct {
	slot slot.Slot
	log  *slog.Logger

	mu      sync.Mutex
	current *session // nil for none
	closed  bool
}

type session struct {
	owner   owner
	conn    slot.Conn
	janitor *time.Timer
	unwatch context.CancelFunc // stops the look-out for the card's removal
}

// owner is who a session belongs to: the page's word for it, within the page's
// origin.
type owner struct{ origin, name string }

// exchange has the card carry out commands in the owner's session, which is
// opened if it is not the current one, and gives a response for each until one
// fails. In its end the session is open, and the janitor's time begins anew;
// or the card is lost and it is closed.
func (s *sessions) exchange(ctx context.Context, o owner, commands []apdu.Command) (responses []apdu.Response, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	conn, err := s.open(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, c := range commands {
		r, err := apdu.Exchange(ctx, conn, c)
		if err != nil {
			s.end("card lost")
			return responses, err
		}
		responses = append(responses, r)
	}
	s.current.janitor.Reset(idle)
	return responses, nil
}

// is tells whether the current session is the owner's.
func (s *sessions) is(o owner) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current != nil && s.current.owner == o
}

// open gives the owner's connection to the card. The caller holds mu.
func (s *sessions) open(ctx context.Context, o owner) (slot.Conn, error) {
	if s.closed {
		return nil, errClosed
	}
	if s.current != nil && s.current.owner == o {
		s.current.janitor.Stop()
		return s.current.conn, nil
	}
	s.end("superseded")
	conn, err := s.slot.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if atr, err := apdu.ParseATR(conn.ATR()); err != nil || !atr.OffersT1() {
		conn = t0{conn}
	}
	opened := &session{owner: o, conn: conn}
	opened.janitor = time.AfterFunc(idle, func() { s.sweep(opened, "idle") })
	opened.janitor.Stop() // until the first commands are through
	watching, unwatch := context.WithCancel(context.Background())
	opened.unwatch = unwatch
	go s.awaitRemoval(watching, opened)
	s.current = opened
	s.log.Info("scproxy session opened", "origin", o.origin)
	return conn, nil
}

// t0 is a card that knows no other transmission protocol than T=0.
type t0 struct{ slot.Conn }

func (c t0) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	return c.Conn.Transmit(ctx, apdu.T0(command))
}

// awaitRemoval ends a session when its card is pulled: the claim on the slot
// must not outlive the card, for the next one may be there at once, and be
// somebody else's.
func (s *sessions) awaitRemoval(ctx context.Context, of *session) {
	for found := range s.slot.Watch(ctx) {
		if found.State != slot.Present {
			s.sweep(of, "card removed")
			return
		}
	}
}

// sweep ends a session, if it is still the current one.
func (s *sessions) sweep(old *session, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == old {
		s.end(why)
	}
}

// disconnect ends the owner's session, if it is the current one.
func (s *sessions) disconnect(o owner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && s.current.owner == o {
		s.end("disconnected")
	}
}

// close ends the session and lets no other be opened.
func (s *sessions) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end("service closed")
	s.closed = true
}

// end resets the card and lets go of it. The caller holds mu.
func (s *sessions) end(why string) {
	if s.current == nil {
		return
	}
	s.current.janitor.Stop()
	s.current.unwatch()
	err := s.current.conn.Close()
	s.current = nil
	if err != nil {
		s.log.Warn("scproxy session ended, card not reset", "reason", why, "err", err)
		return
	}
	s.log.Info("scproxy session ended", "reason", why)
}
