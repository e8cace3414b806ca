package main

import (
	"context"
	"errors"
	"fmt"

	"periph.io/x/conn/v3/i2c"

	"smartkiosk/device/display/hd44780"
	"smartkiosk/device/display/oled"
	"smartkiosk/device/i2cbus"
)

type busFinding struct {
	Device string            `json:"device"` // /dev/i2c-1
	Name   string            `json:"name"`
	Parts  []addressFinding  `json:"parts"`
	Held   map[string]string `json:"held"` // addresses that drivers of the kernel have, and whose
}

// addressFinding is an address that answers.
type addressFinding struct {
	Address string `json:"address"`           // 0x27
	About   string `json:"about"`             // what it may be, in words
	Section string `json:"section,omitempty"` // of a wiring file, for a part of a panel
	Doubt   string `json:"doubt,omitempty"`   // what else it may be
	number  uint16
}

// findBuses scans the buses. Its error is the context's.
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
		if errors.Is(err, i2cbus.ErrNotI2C) { // a mainboard's: nobody wires a panel to it
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

// guess says what may be at an address that answered, by reading from it where
// a read does no harm.
func guess(bus i2c.Bus, address uint16) addressFinding {
	switch {
	case address == 0x3c || address == 0x3d:
		return guessOLED(bus, address)
	case address >= 0x20 && address <= 0x27:
		return guessBackpack(bus, address, "PCF8574")
	case address >= 0x38 && address <= 0x3f:
		return guessBackpack(bus, address, "PCF8574A")
	case address == 0x28:
		return addressFinding{About: "perhaps a Matrix Orbital display, which is driven by its serial port here"}
	case address == 0x72:
		return addressFinding{About: "perhaps a SparkFun SerLCD, which is driven by its serial port here"}
	case address >= 0x50 && address <= 0x57:
		return addressFinding{About: "perhaps an EEPROM"}
	}
	return addressFinding{About: "no part of a panel"}
}

func guessOLED(bus i2c.Bus, address uint16) addressFinding {
	chip, err := oled.Identify(bus, address)
	var status [1]byte
	switch {
	case err != nil && bus.Tx(address, nil, status[:]) == nil && status[0]&^0x4f != 0:
		return guessBackpack(bus, address, "PCF8574A") // bits that no OLED's status has
	case err != nil:
		return addressFinding{
			About: "OLED, SSD1306 or SH1106: its status tells which of neither", Section: "display.ssd1306",
			Doubt: "display.sh1106 if the picture is shifted by two dots; most panels of 1.3 inches are",
		}
	case chip == oled.SH1106:
		return addressFinding{About: "OLED, by its status an SH1106", Section: "display.sh1106", Doubt: "display.ssd1306 if the picture is shifted by two dots"}
	}
	return addressFinding{About: "OLED, by its status an SSD1306", Section: "display.ssd1306", Doubt: "display.sh1106 if the picture is shifted by two dots"}
}

func guessBackpack(bus i2c.Bus, address uint16, chip string) addressFinding {
	if may, err := hd44780.MayBeBackpack(bus, address); err != nil || !may {
		return addressFinding{About: "an expander or sensor with registers: no part of a panel"}
	}
	return addressFinding{
		About: chip + ", as on the backpacks of character displays", Section: "display.pcf8574",
		Doubt: "rows = 2, columns = 16 for the smaller display; no display at all if it is a board of relays or keys",
	}
}
