//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/i2c"

	"smartkiosk/device/board"
	"smartkiosk/device/keypad"
	"smartkiosk/device/reader"
)

// errHidden means that detect could not look everywhere. The reasons are printed.
var errHidden = errors.New("not everything could be looked at")

// findings is what "kioskctl panel detect --json" prints.
type findings struct {
	Machine   string            `json:"machine"` // the model in the device tree, "" without one
	I2C       []busFinding      `json:"i2c"`
	Serial    []portFinding     `json:"serial"`
	Readers   []string          `json:"readers"`
	Pads      []padFinding      `json:"number_pads"`
	GPIO      []chipFinding     `json:"gpio"`
	PWM       []pwmFinding      `json:"pwm"`
	Watchdogs []watchdogFinding `json:"watchdogs"`
	Hidden    []string          `json:"hidden"` // what could not be examined, why, and what helps
	Advice    []string          `json:"advice"` // how to switch on interfaces that are off
	Board     string            `json:"board"`  // the proposed wiring file
}

// The kinds of devices that are searched for, as they are printed.
const (
	i2cBuses    = "I²C"
	serialPorts = "Serial port"
	cardReaders = "Card reader"
	numberPads  = "Number pad"
	gpioChips   = "GPIO"
	pwmChips    = "PWM"
	watchdogs   = "Watchdog"
)

// hide records that devices of a kind could not be examined.
func (f *findings) hide(kind string, err error) {
	f.Hidden = append(f.Hidden, fmt.Sprintf("%s: %v", kind, err))
}

func (f *findings) advise(format string, args ...any) {
	f.Advice = append(f.Advice, fmt.Sprintf(format, args...))
}

// machine is the machine that is examined. Tests replace its parts.
type machine struct {
	root    string // folder with dev, sys, proc and boot
	openBus func(device string) (i2c.BusCloser, error)
	pads    func() ([]keypad.Pad, error)
	readers func() ([]string, error)
	chips   func() []chipFinding
	access  func(path string) error // returns why a file may not be read and written, or nil
	now     func() time.Time
}

func thisMachine() machine {
	return machine{
		root:    "/",
		openBus: board.OpenI2C,
		pads:    keypad.Pads,
		readers: reader.List,
		chips:   chips,
		access:  func(path string) error { return unix.Access(path, unix.R_OK|unix.W_OK) },
		now:     time.Now,
	}
}

func (m machine) path(elements ...string) string {
	return filepath.Join(append([]string{m.root}, elements...)...)
}

// allowed reports whether this user may use a device. If not, it records that in f,
// with the group whose members may.
func (m machine) allowed(f *findings, kind, device, group string) bool {
	err := m.access(m.path(device))
	if errors.Is(err, fs.ErrPermission) {
		f.hide(kind, fmt.Errorf("%s: permission denied: is this user in the group %s? (sudo usermod -aG %s USER, then log in again)", device, group, group))
	} else if err != nil {
		f.hide(kind, fmt.Errorf("%s: %w", device, err))
	}
	return err == nil
}

// detect searches for everything that a panel may consist of. It writes to no device.
func (m machine) detect(ctx context.Context) (findings, error) {
	f := findings{Hidden: []string{}, Advice: []string{}}
	f.Machine = m.model()
	if err := m.findBuses(ctx, &f); err != nil {
		return f, err
	}
	m.findPorts(&f)
	m.findReaders(&f)
	m.findPads(&f)
	m.findChips(&f)
	m.findPWM(&f)
	m.findWatchdogs(&f)
	f.Board = propose(f)
	return f, nil
}

func (p program) panelDetect(ctx context.Context, asJSON, ask bool) error {
	f, err := p.machine.detect(ctx)
	if err != nil {
		return fmt.Errorf("cannot look for parts: %w", err)
	}
	if ask {
		who, done, err := p.person()
		if err != nil {
			return err
		}
		p.machine.askWirings(ctx, who, &f)
		done()
	}
	if asJSON {
		err = p.printJSON(f)
	} else {
		err = f.print(p.stdout)
	}
	if err == nil && len(f.Hidden) > 0 {
		err = errHidden
	}
	return err
}
