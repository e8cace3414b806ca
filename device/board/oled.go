package board

import (
	"fmt"
	"strings"

	"periph.io/x/conn/v3/i2c"

	"smartkiosk/device/display"
	"smartkiosk/device/display/oled"
)

// OLED is [display.ssd1306] or the section of another chip of package oled: a
// panel of 128×64 dots.
type OLED struct {
	Chip    oled.Chip `toml:"-"`
	Bus     string    `toml:"bus"`     // device file
	Address int       `toml:"address"` // 7 bits
	Text    string    `toml:"text"`    // "normal", or "large": two rows that fill the display
	// ColumnOffset is the column of the controller's memory that appears first on
	// the glass. If it is nil, the offset of most modules with the chip is used.
	ColumnOffset *int `toml:"column_offset"`
}

// oledDrivers registers a driver for each chip.
func oledDrivers(chips []oled.Chip) []displayDriver {
	var drivers []displayDriver
	for _, chip := range chips {
		drivers = append(drivers, displayDriver{
			section: chipSection(chip),
			new:     func() Display { return &OLED{Chip: chip} },
			detect: func(bus i2c.Bus, address uint16) (Candidate, bool) {
				about := oled.Detect(bus, address, chip)
				return Candidate{About: about, Doubt: otherChips(chips, chip)}, about != ""
			},
		})
	}
	return drivers
}

func chipSection(chip oled.Chip) string { return strings.ToLower(chip.String()) }

// otherChips describes the other chips that a panel may have.
func otherChips(chips []oled.Chip, than oled.Chip) string {
	var others []string
	for _, chip := range chips {
		if chip != than {
			others = append(others, fmt.Sprintf("display.%s (%s)", chipSection(chip), chip.Modules()))
		}
	}
	return "if the picture is shifted: column_offset; if it is shifted or missing: " + strings.Join(others, ", ")
}

// Section implements Part.
func (d *OLED) Section() string { return "display." + chipSection(d.Chip) }

// Form implements Display.
func (d *OLED) Form() Form {
	if d.Text == "large" {
		return Form{Rows: 2, Columns: 16, Layout: display.Large}
	}
	return Form{Rows: 5, Columns: 21, Layout: display.Heading}
}

// Open implements Display.
func (d *OLED) Open() (display.Device, error) {
	bus, err := OpenI2C(d.Bus)
	if err != nil {
		return nil, err
	}
	panel, err := oled.New(bus, uint16(d.Address), d.Chip)
	if err != nil {
		bus.Close()
		return nil, err
	}
	if d.ColumnOffset != nil {
		panel.SetColumnOffset(*d.ColumnOffset)
	}
	return start(panel)
}

func (d *OLED) check(pi Pi) error {
	if err := checkI2C(pi, d.Bus); err != nil {
		return err
	}
	if d.Address != 0x3c && d.Address != 0x3d {
		return fmt.Errorf("address is %#x: use 0x3c, or 0x3d if the module's jumper is set (some modules print it doubled: 0x78 and 0x7a)", d.Address)
	}
	if d.ColumnOffset != nil {
		if err := checkNumber("column_offset", *d.ColumnOffset, 0, oled.MaxColumnOffset); err != nil {
			return err
		}
	}
	if d.Text != "" && d.Text != "normal" && d.Text != "large" {
		return fmt.Errorf("text is %q: use \"normal\" or \"large\"", d.Text)
	}
	return nil
}

// Device implements OnBus.
func (d *OLED) Device() (string, uint16) { return d.Bus, uint16(d.Address) }

// Describe implements Part.
func (d *OLED) Describe() Description {
	return Description{
		Title: "128×64 OLED", Label: "OLED", Picture: OLEDPicture,
		Wiring: fmt.Sprintf("128×64 dots, %#x of %s", d.Address, d.Bus),
		Buy:    []string{fmt.Sprintf("128×64 OLED module with %s on I²C, at address %#x (some print it doubled, %#x)", d.Chip, d.Address, 2*d.Address)},
		Edges:  otherChips(oled.Chips(), d.Chip),
	}
}

// Wires implements Part.
func (d *OLED) Wires() []Wire {
	return []Wire{
		{Terminal: "GND", Line: Ground},
		{Terminal: "VCC", Line: Volts3V3},
		{Terminal: "SDA", Device: d.Bus, Function: "SDA"},
		{Terminal: "SCL", Device: d.Bus, Function: "SCL"},
	}
}
