package usbreader

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"

	"smartkiosk/device/cardsim/usbreader/usbip"
)

// session is the reader while it is plugged in. One goroutine owns it. Exchanges
// with the card and the Keypad run in another goroutine.
type session struct {
	reader *Reader
	conn   net.Conn

	configured   byte // the configuration that the host chose, 0 before
	answers      inlet
	events       inlet
	halted       [eventsIn + 1]bool // endpoints, by number
	stalled      bool               // the reader's firmware hangs
	busy         *job               // nil while the slot waits for a command
	done         chan result
	ended        bool // a fault unplugged the reader
	abortControl int  // the sequence number of the abort's control request, 0 to 255, or -1
	abortMessage int  // the sequence number of the abort's message, or -1
}

// job is a running exchange.
type job struct {
	message message
	cancel  context.CancelFunc
	aborted bool
}

type result struct {
	job    *job
	answer answer
}

// serve runs a session until ctx ends or conn does.
func serve(ctx context.Context, r *Reader, conn net.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	requests, failed := make(chan usbip.Request), make(chan error, 1)
	go func() {
		for {
			q, err := usbip.ReadRequest(conn)
			if err != nil {
				failed <- err
				return
			}
			select {
			case requests <- q:
			case <-ctx.Done():
				failed <- ctx.Err()
				return
			}
		}
	}()
	s := &session{reader: r, conn: conn, done: make(chan result, 1), abortControl: -1, abortMessage: -1}
	err, reading := s.run(ctx, requests, failed)
	cancel()
	conn.Close()
	if reading {
		<-failed
	}
	if s.busy != nil {
		<-s.done
	}
	if unplugged(err) {
		return nil
	}
	return err
}

// unplugged reports whether the other end closed the connection.
func unplugged(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// run returns why the session ended, nil if the device ended it, and whether the
// connection is still being read.
func (s *session) run(ctx context.Context, requests <-chan usbip.Request, failed <-chan error) (err error, reading bool) {
	for err == nil && !s.ended {
		select {
		case q := <-requests:
			err = s.handle(ctx, q)
		case r := <-s.done:
			err = s.finish(r)
		case <-s.reader.changed:
		case err := <-failed:
			return err, false
		case <-ctx.Done():
			return nil, true
		}
		if err == nil {
			err = s.send()
		}
	}
	return err, true
}

// handle carries out one request of the host.
func (s *session) handle(ctx context.Context, q usbip.Request) error {
	switch {
	case q.Unlink:
		status := usbip.OK
		if s.answers.unlink(q.Target) || s.events.unlink(q.Target) {
			status = usbip.Unlinked
		}
		return s.write(q.ReturnUnlink(status))
	case q.Endpoint == 0:
		data, ok := s.control(parseSetup(q.Setup), q.In)
		if !ok {
			return s.write(q.Return(usbip.Stalled, 0, nil))
		}
		return s.write(q.Return(usbip.OK, len(q.Data), data[:min(len(data), q.Length)]))
	case s.configured == 0 || q.Endpoint >= len(s.halted) || s.halted[q.Endpoint] || q.In != (q.Endpoint != commandsOut):
		return s.write(q.Return(usbip.Stalled, 0, nil))
	case q.Endpoint == answersIn:
		return s.answers.wait(q)
	case q.Endpoint == eventsIn:
		return s.events.wait(q)
	}
	m, err := parseMessage(q.Data)
	if err != nil && err != errLength {
		s.halted[commandsOut] = true
		return s.write(q.Return(usbip.Stalled, 0, nil))
	}
	if err := s.write(q.Return(usbip.OK, len(q.Data), nil)); err != nil || s.stalled {
		return err
	}
	if err == errLength {
		return s.answer(m, failure(slotStatus, badLength))
	}
	return s.command(ctx, m)
}

// send answers the requests for which there is data.
func (s *session) send() error {
	for b := s.answers.next(); b != nil; b = s.answers.next() {
		if err := s.write(b); err != nil {
			return err
		}
	}
	for len(s.events.waiting) > 0 && !s.stalled {
		present, moved := s.reader.nextMove()
		if !moved {
			break
		}
		if err := s.events.send(slotChange(present)); err != nil {
			return err
		}
		if err := s.write(s.events.next()); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) write(b []byte) error {
	_, err := s.conn.Write(b)
	return err
}
