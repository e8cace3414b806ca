// Package line finds GPIO lines by name and waits for their edges. Its errors
// tell a technician what to do.
//
// Drivers use it instead of calling periph.io/x/conn/v3/gpio directly. It handles
// what periph.io/x/host/v3 v3.8.5 does with Linux's GPIO character device
// (gpioioctl/gpio.go; Documentation/userspace-api/gpio/chardev.rst):
//
//   - WaitForEdge(0) waits for ever and a negative timeout returns at once,
//     the opposite of conn's contract and of gpiotest. Wait passes only
//     timeouts from 1 ms to 1 min.
//   - WaitForEdge returns false at once, every time, when the line is lost.
//     Wait distinguishes that from a timeout.
//   - Read returns Low when it fails, and turns an output into an input. No
//     driver here reads an output, and none trusts Low on a line for which
//     Wait has returned ErrLost.
//   - WaitForEdge does not report whether the edge was rising or falling.
//     Drivers read the level instead.
package line

import (
	"errors"
	"fmt"
	"syscall"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
)

var (
	// ErrUnknown means that no line has the name.
	ErrUnknown = errors.New("no such line")
	// ErrInUse means that another program, or the kernel, holds the line.
	ErrInUse = errors.New("line in use")
	// ErrLost means that a line no longer responds.
	ErrLost = errors.New("line lost")
)

// ByName returns the line with a name of the board ("GPIO17", "P1_11") from
// periph's register, which host.Init fills. If no line has the name, the error
// wraps ErrUnknown.
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

// Distinct returns an error if two pins are the same line, even under different
// names.
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

// Claim turns the error of configuring a line into one that names the line. nil
// stays nil. EBUSY becomes ErrInUse, with the holder if it is known. ENODEV
// becomes ErrLost.
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

// Release releases a line, if its driver can, so that others may use it.
func Release(pin gpio.PinIO) {
	if alias, ok := pin.(gpio.RealPin); ok {
		pin = alias.Real()
	}
	if held, ok := pin.(interface{ Close() }); ok {
		held.Close()
	}
}
