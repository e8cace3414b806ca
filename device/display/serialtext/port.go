package serialtext

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tarm/serial"
)

// Port is what a part writes to.
type Port interface {
	Write([]byte) (int, error)
	// Flush throws away what could not be sent in its time. It fails when the
	// port is gone.
	Flush() error
	Close() error
}

// Open opens a serial port by its name, e.g. /dev/ttyUSB0, with 8 data bits, no
// parity and one stop bit.
func Open(name string, baud int) (Port, error) {
	// Without a time-out Close waits for a blocked Read; nothing here reads,
	// but then nothing depends on it.
	p, err := serial.OpenPort(&serial.Config{Name: name, Baud: baud, ReadTimeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("cannot open serial port %s at %d baud: %w", name, baud, err)
	}
	return &port{line: p, perByte: 10 * time.Second / time.Duration(baud)}, nil
}

// longestSend bounds what Close waits for the line: more than a frame takes at
// 2400 baud.
const longestSend = time.Second

// port does not wait, when it is closed, for the kernel to send what should
// have been sent by then. A serial driver lets a write that is stuck go on
// then; where one does not, both end when the display is pulled, and a Keeper
// waits for neither.
type port struct {
	line    line
	perByte time.Duration // start bit, 8 data bits, stop bit
	closed  atomic.Bool

	mu   sync.Mutex
	sent time.Time // when the last byte has left a line that goes
}

// line is a *serial.Port, whose Flush throws away whatever has not been sent.
type line interface {
	Write([]byte) (int, error)
	Flush() error
	Close() error
}

func (p *port) Write(message []byte) (int, error) {
	if p.closed.Load() {
		return 0, os.ErrClosed
	}
	n, err := p.line.Write(message)
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.sent.Before(now) {
		p.sent = now
	}
	p.sent = p.sent.Add(time.Duration(n) * p.perByte)
	return n, err
}

// left is how long the line still needs for what was written.
func (p *port) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.sent)
}

func (p *port) Flush() error {
	if p.left() > 0 {
		return nil // it would throw away a frame on its way
	}
	return p.line.Flush()
}

func (p *port) Close() error {
	p.closed.Store(true)
	time.Sleep(min(p.left(), longestSend))
	return errors.Join(p.line.Flush(), p.line.Close())
}
