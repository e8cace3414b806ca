//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"

	"periph.io/x/conn/v3/i2c"

	"smartkiosk/device/board"
	"smartkiosk/device/i2cbus"
)

type busFinding struct {
	Device string            `json:"device"` // /dev/i2c-1
	Name   string            `json:"name"`
	Parts  []addressFinding  `json:"parts"`
	Held   map[string]string `json:"held"` // addresses that kernel drivers use, with the driver's name
}

// addressFinding describes an address that answers.
type addressFinding struct {
	Address string `json:"address"`           // 0x27
	About   string `json:"about"`             // what it may be, in words
	Section string `json:"section,omitempty"` // section of the wiring file, for a part of a panel
	Doubt   string `json:"doubt,omitempty"`   // what else it may be
	number  uint16
	keys    []string // keys of the section, except bus and address
}

// findBuses scans the buses. It returns an error only if ctx ends.
func (m machine) findBuses(ctx context.Context, f *findings) error {
	f.I2C = []busFinding{}
	adapters, err := i2cbus.Adapters(m.root)
	if err != nil {
		f.hide(i2cBuses, err)
	}
	for _, a := range adapters {
		if a.Screen {
			continue
		}
		if a.Device == "" {
			f.hide(i2cBuses, fmt.Errorf("bus %d (%s): the module i2c-dev is not loaded (sudo modprobe i2c-dev; the line i2c-dev in /etc/modules does it at every start)", a.Number, a.Name))
			continue
		}
		if !m.allowed(f, i2cBuses, a.Device, "i2c") {
			continue
		}
		found, err := m.scan(ctx, a)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, i2cbus.ErrNotI2C) { // an SMBus of a mainboard: panels are not wired to it
			continue
		}
		if err != nil {
			f.hide(i2cBuses, fmt.Errorf("%s: %w", a.Device, err))
			continue
		}
		f.I2C = append(f.I2C, found)
	}
	if len(adapters) == 0 && m.isPi() {
		f.advise("%s", m.enable("I²C, for a display on SDA and SCL", "dtparam=i2c_arm=on", "i2c_arm=on", "i2c=on"))
	}
	return nil
}

func (m machine) scan(ctx context.Context, a i2cbus.Adapter) (busFinding, error) {
	found := busFinding{Device: a.Device, Name: a.Name, Parts: []addressFinding{}, Held: map[string]string{}}
	for address, driver := range a.Held {
		found.Held[fmt.Sprintf("%#02x", address)] = driver
	}
	bus, err := m.openBus(a.Device)
	if err != nil {
		return found, err
	}
	defer bus.Close()
	answers, err := i2cbus.Scan(ctx, bus, a.Held)
	if err != nil {
		return found, err
	}
	for _, address := range answers {
		part := guess(bus, address)
		part.Address, part.number = fmt.Sprintf("%#02x", address), address
		found.Parts = append(found.Parts, part)
	}
	return found, nil
}

// guess returns what may be at an address that has answered. It writes nothing.
func guess(bus i2c.Bus, address uint16) addressFinding {
	if found, ok := board.DetectDisplay(bus, address); ok {
		return addressFinding{About: found.About, Section: found.Section, Doubt: found.Doubt, keys: found.Keys}
	}
	switch {
	case address >= 0x20 && address <= 0x27, address >= 0x38 && address <= 0x3f:
		return addressFinding{About: "an expander or sensor with registers: not a part of a panel"}
	case address == 0x28:
		return addressFinding{About: "perhaps a Matrix Orbital display, which kioskd drives through its serial port"}
	case address == 0x72:
		return addressFinding{About: "perhaps a SparkFun SerLCD, which kioskd drives through its serial port"}
	case address >= 0x50 && address <= 0x57:
		return addressFinding{About: "perhaps an EEPROM"}
	}
	return addressFinding{About: "not a part of a panel"}
}
