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

// errHidden says that detect could not look everywhere; what kept it is printed.
var errHidden = errors.New("not everything could be looked at")

// findings is what "kioskctl panel detect --json" prints.
type findings struct {
	Machine   string            `json:"machine"` // as its device tree calls it, "" if it has none
	I2C       []busFinding      `json:"i2c"`
	Serial    []portFinding     `json:"serial"`
	Readers   []string          `json:"readers"`
	Pads      []padFinding      `json:"number_pads"`
	GPIO      []chipFinding     `json:"gpio"`
	PWM       []pwmFinding      `json:"pwm"`
	Watchdogs []watchdogFinding `json:"watchdogs"`
	Hidden    []string          `json:"hidden"` // what could not be looked at, why, and what helps
	Advice    []string          `json:"advice"` // what could be had that is not switched on
	Board     string            `json:"board"`  // a wiring file
}

// The kinds of things that are looked for, as they are called in print.
const (
	i2cBuses    = "I²C"
	serialPorts = "Serial port"
	cardReaders = "Card reader"
	numberPads  = "Number pad"
	gpioChips   = "GPIO"
	pwmChips    = "PWM"
	watchdogs   = "Watchdog"
)

// hide notes what of a kind could not be looked at.
func (f *findings) hide(kind string, err error) {
	f.Hidden = append(f.Hidden, fmt.Sprintf("%s: %v", kind, err))
}

func (f *findings) advise(format string, args ...any) {
	f.Advice = append(f.Advice, fmt.Sprintf(format, args...))
}

// machine is what there is to look at.
type machine struct {
	root    string // folder that has dev, sys, proc and boot
	openBus func(device string) (i2c.BusCloser, error)
	pads    func() ([]keypad.Pad, error)
	readers func() ([]string, error)
	chips   func() []chipFinding
	access  func(path string) error // why a file may not be read and written
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

// allowed notes in f when a device may not be used, with the group that may.
func (m machine) allowed(f *findings, kind, device, group string) bool {
	err := m.access(m.path(device))
	if errors.Is(err, fs.ErrPermission) {
		f.hide(kind, fmt.Errorf("%s: permission denied: is this user in the group %s? (sudo usermod -aG %s USER, then log in anew)", device, group, group))
	} else if err != nil {
		f.hide(kind, fmt.Errorf("%s: %w", device, err))
	}
	return err == nil
}

// detect looks at everything that a panel may be made of. It writes to nothing.
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
