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

// Port is the serial port that a part writes to.
type Port interface {
	Write([]byte) (int, error)
	// Flush discards bytes that could not be sent in the time that they need. It
	// fails if the port is gone.
	Flush() error
	Close() error
}

// Open opens a serial port by its name, e.g. /dev/ttyUSB0, with 8 data bits, no
// parity and one stop bit.
func Open(name string, baud int) (Port, error) {
	// Without a timeout, Close waits for a blocked Read. Nothing here reads, but
	// the timeout makes that irrelevant.
	p, err := serial.OpenPort(&serial.Config{Name: name, Baud: baud, ReadTimeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("cannot open serial port %s at %d baud: %w", name, baud, err)
	}
	return &port{line: p, perByte: 10 * time.Second / time.Duration(baud)}, nil
}

// longestSend bounds how long Close waits for the line. It is longer than a frame
// takes at 2400 baud.
const longestSend = time.Second

// port is a Port whose Close does not wait for bytes that the kernel should have
// sent by then. With a serial driver, a stuck write then returns. With a driver
// for which it does not, the write and Close end when the display is unplugged,
// and a Keeper waits for neither.
type port struct {
	line    line
	perByte time.Duration // start bit, 8 data bits, stop bit
	closed  atomic.Bool

	mu   sync.Mutex
	sent time.Time // when a line that works has sent the last byte
}

// line is a *serial.Port, whose Flush discards all unsent bytes.
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

// left returns how long the line still needs to send what was written.
func (p *port) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.sent)
}

func (p *port) Flush() error {
	if p.left() > 0 {
		return nil // Flush would discard a frame that is being sent
	}
	return p.line.Flush()
}

func (p *port) Close() error {
	p.closed.Store(true)
	time.Sleep(min(p.left(), longestSend))
	return errors.Join(p.line.Flush(), p.line.Close())
}
