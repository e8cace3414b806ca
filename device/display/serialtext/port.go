package serialtext

import (
	"errors"
	"fmt"
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
	return port{p}, nil
}

// port closes although a write is stuck: the kernel drops what waits, and then
// the write returns.
type port struct{ *serial.Port }

func (p port) Close() error {
	return errors.Join(p.Flush(), p.Port.Close())
}
