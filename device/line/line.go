// Package line finds GPIO lines by name and waits for their edges, with errors
// that a technician can act on.
//
// It stands between drivers and periph.io/x/conn/v3/gpio, and knows what
// periph.io/x/host/v3 v3.8.5 does with Linux's GPIO character device
// (gpioioctl/gpio.go; Documentation/userspace-api/gpio/chardev.rst):
//
//   - WaitForEdge(0) waits for ever and a negative time-out returns at once,
//     the reverse of conn's contract and of gpiotest. Wait passes only
//     time-outs from 1 ms to 1 min.
//   - WaitForEdge answers false at once, and again and again, when the line is
//     lost. Wait tells that from a time-out.
//   - Read answers Low when it fails, and turns an output into an input. No
//     driver here reads an output, and none trusts Low on a line that Wait has
//     called lost.
//   - Nothing says which edge it was. Drivers read the level instead.
package line

import (
	"errors"
	"fmt"
	"syscall"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
)

var (
	// ErrUnknown says that no line has the name.
	ErrUnknown = errors.New("no such line")
	// ErrInUse says that another program, or the kernel, holds the line.
	ErrInUse = errors.New("line in use")
	// ErrLost says that a line that was there answers no more.
	ErrLost = errors.New("line lost")
)

// ByName finds a line by a name of the board's ("GPIO17", "P1_11") in periph's
// register, which host.Init fills. Claim turns what configuring it says into
// the errors of this package. A name that is not there is ErrUnknown.
func ByName(name string) (gpio.PinIO, error) {
	if name == "" {
		return nil, fmt.Errorf("cannot find pin: it has no name: %w", ErrUnknown)
	}
	if pin := gpioreg.ByName(name); pin != nil {
		return pin, nil
	}
	all := gpioreg.All()
	if len(all) == 0 {
		return nil, fmt.Errorf("cannot find pin %s: this machine has no GPIO lines, or they may not be opened (group gpio): %w", name, ErrUnknown)
	}
	return nil, fmt.Errorf("cannot find pin %s: this machine has %s to %s: %w", name, all[0].Name(), all[len(all)-1].Name(), ErrUnknown)
}

// Distinct tells whether each line is there once, however it is called.
func Distinct(pins ...gpio.PinIO) error {
	seen := make(map[gpio.PinIO]string, len(pins))
	for _, pin := range pins {
		real := pin
		if alias, ok := pin.(gpio.RealPin); ok {
			real = alias.Real()
		}
		if before, ok := seen[real]; ok {
			return fmt.Errorf("cannot use pin %s: it is already used as %s", pin.Name(), before)
		}
		seen[real] = pin.Name()
	}
	return nil
}

// Claim makes a sentence of what configuring a line answered: nil stays nil,
// EBUSY is ErrInUse with whoever holds it where that is known, ENODEV is
// ErrLost.
func Claim(pin interface{ Name() string }, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EBUSY):
		by := "another program"
		if held, ok := pin.(interface{ Consumer() string }); ok && held.Consumer() != "" {
			by = held.Consumer()
		}
		return fmt.Errorf("cannot use pin %s: held by %s: %w", pin.Name(), by, ErrInUse)
	case errors.Is(err, syscall.ENODEV):
		return fmt.Errorf("cannot use pin %s: its chip is gone: %w", pin.Name(), ErrLost)
	}
	return fmt.Errorf("cannot use pin %s: %w", pin.Name(), err)
}

// Release gives a line back to whoever asks next, where its driver can.
func Release(pin gpio.PinIO) {
	if alias, ok := pin.(gpio.RealPin); ok {
		pin = alias.Real()
	}
	if held, ok := pin.(interface{ Close() }); ok {
		held.Close()
	}
}
