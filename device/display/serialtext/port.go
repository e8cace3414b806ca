package serialtext

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/tarm/serial"
)

// Port is what a part writes to.
type Port interface {
	Write([]byte) (int, error)
	// Flush throws away what has not been sent. It fails when the port is
	// gone.
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
	return &port{Port: p}, nil
}

// port does not wait, when it is closed, for the kernel to send what waits. A
// serial driver lets a write that is stuck go on then; where one does not, both
// end when the display is pulled, and a Keeper waits for neither.
type port struct {
	*serial.Port
	closed atomic.Bool
}

func (p *port) Write(message []byte) (int, error) {
	if p.closed.Load() {
		return 0, os.ErrClosed
	}
	return p.Port.Write(message)
}

func (p *port) Close() error {
	p.closed.Store(true)
	return errors.Join(p.Flush(), p.Port.Close())
}
