package scproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/scproxy/recording"
	"smartkiosk/device/slot"
)

// idle is how long a session may be silent before the service ends it.
const idle = 10 * time.Second

// endedIdle is the reason of a session's end after idle.
const endedIdle = "idle"

// errNoAnswer is the error for a card that did not answer a command, or was not
// there when the session opened.
var errNoAnswer = errors.New("card did not answer")

// sessions holds the one session that can be open at a time.
type sessions struct {
	slot slot.Slot
	uses *uses
	log  *slog.Logger

	recorder *recording.Recorder // nil for none

	mu      sync.Mutex
	current *session // nil if no session is open
	closed  bool
}

type session struct {
	owner   owner
	reader  string // PC/SC name that the page opened the session with
	conn    slot.Conn
	expiry  *time.Timer
	used    time.Time          // end of the last command
	unwatch context.CancelFunc // stops awaitRemoval
	record  *recording.Session // nil unless it is recorded
}

// owner identifies a session: the name that the page gave it, and the page's
// origin.
type owner struct{ origin, name string }

// exchange sends commands to the card in the owner's session, which it opens unless
// it is the current one. It stops at the first command that fails, with errNoAnswer,
// and ends the session. Otherwise the session stays open and its idle time starts
// again. errUnknownReader means that the slot has no reader of that name, or that
// the session is at another one.
func (s *sessions) exchange(ctx context.Context, o owner, reader string, commands []apdu.Command) (responses []apdu.Response, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	conn, err := s.open(ctx, o, reader)
	if err != nil {
		return nil, err
	}
	for _, c := range commands {
		r, err := apdu.Exchange(ctx, conn, c)
		s.current.record.Add(c, r, err == nil)
		if err != nil {
			s.end("card lost")
			return responses, fmt.Errorf("%w: %w", errNoAnswer, err)
		}
		responses = append(responses, r)
	}
	s.current.used = time.Now()
	s.current.expiry.Reset(idle)
	return responses, nil
}

// isOpen reports whether the owner's session is open.
func (s *sessions) isOpen(o owner) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current != nil && s.current.owner == o
}

// open returns the connection of the owner's session. The caller holds mu.
func (s *sessions) open(ctx context.Context, o owner, reader string) (slot.Conn, error) {
	if s.closed {
		return nil, errClosed
	}
	if s.current != nil && s.current.owner == o {
		if s.current.reader != reader {
			return nil, errUnknownReader
		}
		s.current.expiry.Stop()
		return s.current.conn, nil
	}
	// The watch begins before the card is claimed, so that awaitRemoval misses no
	// change of the card or the reader.
	watching, unwatch := context.WithCancel(context.Background())
	changes := s.slot.Watch(watching)
	if err := awaitReader(ctx, changes, reader); err != nil {
		unwatch()
		return nil, err
	}
	s.end("superseded")
	conn, err := s.slot.Connect(ctx)
	if err != nil {
		unwatch()
		if errors.Is(err, slot.ErrNoCard) {
			err = fmt.Errorf("%w: %w", errNoAnswer, err)
		}
		return nil, err
	}
	if atr, err := apdu.ParseATR(conn.ATR()); err != nil || !atr.OffersT1() {
		conn = t0{conn}
	}
	opened := &session{owner: o, reader: reader, conn: conn, unwatch: unwatch, record: s.recorder.Begin(conn.ATR())}
	opened.expiry = time.AfterFunc(idle, func() { s.expire(opened) })
	opened.expiry.Stop() // exchange starts it after the first commands
	go s.awaitRemoval(changes, opened)
	s.current = opened
	s.uses.opened()
	s.log.Info("scproxy session opened", "origin", o.origin)
	return conn, nil
}

// awaitReader returns errUnknownReader unless the slot is at the named reader.
func awaitReader(ctx context.Context, changes <-chan slot.Event, name string) error {
	select {
	case found := <-changes:
		if found.State == slot.NoReader || found.Reader != name {
			return errUnknownReader
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// t0 is a connection to a card that offers only T=0.
type t0 struct{ slot.Conn }

func (c t0) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	return c.Conn.Transmit(ctx, apdu.T0(command))
}

// awaitRemoval ends a session when its card is removed or the slot moves to another
// reader. Otherwise the session would have the next card too, which may be another
// person's.
func (s *sessions) awaitRemoval(changes <-chan slot.Event, of *session) {
	for found := range changes {
		if found.State != slot.Present || found.Reader != of.reader {
			s.sweep(of, "card removed")
			return
		}
	}
}

// expire ends a session that has been silent for its idle time. It checks the time
// again, because a command may have come just before the timer ran out.
func (s *sessions) expire(old *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == old && time.Since(old.used) >= idle {
		s.end(endedIdle)
	}
}

// sweep ends a session if it is still the current one.
func (s *sessions) sweep(old *session, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == old {
		s.end(why)
	}
}

// disconnect ends the owner's session if it is open.
func (s *sessions) disconnect(o owner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && s.current.owner == o {
		s.end("disconnected")
	}
}

// forget ends the session and whatever its page waits for.
func (s *sessions) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end("page closed")
	s.uses.ended(false)
}

// close ends the session. No other session can be opened afterwards.
func (s *sessions) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end("service closed")
	s.closed = true
}

// end resets the card and releases it. The caller holds mu.
func (s *sessions) end(why string) {
	if s.current == nil {
		return
	}
	s.current.expiry.Stop()
	s.current.unwatch()
	s.current.record.End()
	err := s.current.conn.Close()
	s.current = nil
	s.uses.ended(why == endedIdle)
	if err != nil {
		s.log.Warn("scproxy session ended, card not reset", "reason", why, "err", err)
		return
	}
	s.log.Info("scproxy session ended", "reason", why)
}
