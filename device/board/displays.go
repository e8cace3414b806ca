package board

import (
	"fmt"
	"slices"
	"time"

	"smartkiosk/device/display"
	"smartkiosk/device/display/hd44780"
	"smartkiosk/device/display/oled"
)

// Display is a section of a display.
type Display interface {
	Part
	// Open starts it: it is on and empty. Its errors name the line, bus or port.
	Open() (display.Device, error)
	// Form is how its frames are to be laid out.
	Form() Form
}

// Form is how many letters a display shows, in the layout that it is set to.
type Form struct {
	Rows, Columns int
	Layout        display.Layout
}

// open puts a part of a display to work.
func open(part display.Part) (display.Device, error) {
	text, err := display.NewText(part)
	if err != nil {
		return nil, err // not a *display.Text that is nil
	}
	return text, nil
}

// checkCells tells whether texts fit a display of cells.
func checkCells(rows, columns int) error {
	if !slices.Contains([][2]int{{2, 16}, {2, 20}, {4, 20}}, [2]int{rows, columns}) {
		return fmt.Errorf("rows and columns are %d and %d: use 2 and 16, 2 and 20 or 4 and 20", rows, columns)
	}
	return nil
}

// ROM is the letters that an HD44780 was made with: "a00", "a02", or "any" (or
// nothing) where that is not sure.
type ROM string

var roms = map[ROM]hd44780.ROM{"": hd44780.AnyROM, "any": hd44780.AnyROM, "a00": hd44780.A00, "a02": hd44780.A02}

func (r ROM) check() error {
	if _, ok := roms[r]; !ok {
		return fmt.Errorf("rom is %q: use \"any\", \"a00\" or \"a02\"", string(r))
	}
	return nil
}

// HD44780 is [display.hd44780]: a character display on six lines.
type HD44780 struct {
	Rows    int      `toml:"rows"`
	Columns int      `toml:"columns"`
	RS      string   `toml:"rs"`
	E       string   `toml:"e"`
	Data    []string `toml:"data"` // D4, D5, D6, D7
	ROM     ROM      `toml:"rom"`
}

// Section implements Part.
func (*HD44780) Section() string { return "display.hd44780" }

// Form implements Display.
func (d *HD44780) Form() Form { return Form{Rows: d.Rows, Columns: d.Columns} }

// Open implements Display.
func (d *HD44780) Open() (display.Device, error) {
	found, err := lines(append([]string{d.RS, d.E}, d.Data...)...)
	if err != nil {
		return nil, err
	}
	pins := hd44780.Pins{RS: found[0], E: found[1]}
	for i, pin := range found[2:] {
		pins.D[i] = pin
	}
	bus, err := hd44780.NewGPIO(pins, hd44780.Pause)
	if err != nil {
		return nil, err
	}
	lcd, err := hd44780.New(bus, d.Rows, d.Columns, roms[d.ROM])
	if err != nil {
		return nil, err
	}
	return open(lcd)
}

func (d *HD44780) check(Pi) error {
	if err := checkCells(d.Rows, d.Columns); err != nil {
		return err
	}
	if len(d.Data) != 4 {
		return fmt.Errorf("data names %d lines: write four, those of D4, D5, D6 and D7", len(d.Data))
	}
	return d.ROM.check()
}

// Wires implements Part.
func (d *HD44780) Wires() []Wire {
	wires := []Wire{
		{Terminal: "1 VSS", Line: Ground},
		{Terminal: "2 VDD", Line: Volts5},
		{Terminal: "3 V0", Line: Ground, Via: "trimmer", Note: "contrast: the middle of a trimmer of 10 kΩ between VDD and VSS"},
		{Terminal: "4 RS", Line: d.RS},
		{Terminal: "5 R/W", Line: Ground, Note: "never leave it open: the module would drive 5 V into the Pi"},
		{Terminal: "6 E", Line: d.E},
	}
	for i, name := range d.Data {
		wires = append(wires, Wire{Terminal: fmt.Sprintf("%d D%d", 11+i, 4+i), Line: name})
	}
	return append(wires,
		Wire{Terminal: "15 A", Line: Volts5, Via: "100 Ω", Note: "backlight; many modules have the resistor"},
		Wire{Terminal: "16 K", Line: Ground})
}

// PCF8574 is [display.pcf8574]: a character display behind an I²C backpack.
type PCF8574 struct {
	Bus     string `toml:"bus"`     // device file
	Address int    `toml:"address"` // of 7 bits
	Rows    int    `toml:"rows"`
	Columns int    `toml:"columns"`
	ROM     ROM    `toml:"rom"`
}

// Section implements Part.
func (*PCF8574) Section() string { return "display.pcf8574" }

// Form implements Display.
func (d *PCF8574) Form() Form { return Form{Rows: d.Rows, Columns: d.Columns} }

// Open implements Display.
func (d *PCF8574) Open() (display.Device, error) {
	bus, err := OpenI2C(d.Bus)
	if err != nil {
		return nil, err
	}
	backpack, err := hd44780.NewBackpack(bus, uint16(d.Address), time.Sleep)
	if err != nil {
		bus.Close()
		return nil, err
	}
	lcd, err := hd44780.New(backpack, d.Rows, d.Columns, roms[d.ROM])
	if err != nil {
		bus.Close()
		return nil, err
	}
	return open(lcd)
}

func (d *PCF8574) check(pi Pi) error {
	if err := checkI2C(pi, d.Bus); err != nil {
		return err
	}
	if a := d.Address &^ 7; a != 0x20 && a != 0x38 {
		return fmt.Errorf("address is %#x: use 0x20 to 0x27 for a PCF8574 (most have 0x27), 0x38 to 0x3f for a PCF8574A (most have 0x3f)", d.Address)
	}
	if err := checkCells(d.Rows, d.Columns); err != nil {
		return err
	}
	return d.ROM.check()
}

func (d *PCF8574) device() (string, uint16) { return d.Bus, uint16(d.Address) }

// Wires implements Part.
func (d *PCF8574) Wires() []Wire {
	const why = "the backpack pulls it to 5 V, and the Pi bears 3.3 V"
	return []Wire{
		{Terminal: "GND", Line: Ground},
		{Terminal: "VCC", Line: Volts5},
		{Terminal: "SDA", Device: d.Bus, Function: "SDA", Via: "level shifter", Note: why},
		{Terminal: "SCL", Device: d.Bus, Function: "SCL", Via: "level shifter", Note: why},
		{Terminal: "shifter LV", Line: Volts3V3, Note: "its HV to 5V, its GND to GND"},
	}
}

// checkI2C tells whether a bus is one that parts can be wired to.
func checkI2C(pi Pi, bus string) error {
	if pi != "" && bus != i2cBus {
		return fmt.Errorf("bus is %q: the header of a Pi has %s", bus, i2cBus)
	}
	return checkDevice("bus", bus, i2cBus)
}

// OLED is what the sections of panels of 128×64 dots have in common.
type OLED struct {
	Bus     string `toml:"bus"`     // device file
	Address int    `toml:"address"` // of 7 bits
	Text    string `toml:"text"`    // "normal", or "large": two rows over the whole height
}

// Form implements Display.
func (d *OLED) Form() Form {
	if d.Text == "large" {
		return Form{Rows: 2, Columns: 16, Layout: display.Large}
	}
	return Form{Rows: 5, Columns: 21, Layout: display.Heading}
}

func (d *OLED) open(chip oled.Chip) (display.Device, error) {
	bus, err := OpenI2C(d.Bus)
	if err != nil {
		return nil, err
	}
	panel, err := oled.New(bus, uint16(d.Address), chip)
	if err != nil {
		bus.Close()
		return nil, err
	}
	return open(panel)
}

func (d *OLED) check(pi Pi) error {
	if err := checkI2C(pi, d.Bus); err != nil {
		return err
	}
	if d.Address != 0x3c && d.Address != 0x3d {
		return fmt.Errorf("address is %#x: use 0x3c, or 0x3d with the module's jumper set (some print it doubled: 0x78 and 0x7a)", d.Address)
	}
	if d.Text != "" && d.Text != "normal" && d.Text != "large" {
		return fmt.Errorf("text is %q: use \"normal\" or \"large\"", d.Text)
	}
	return nil
}

func (d *OLED) device() (string, uint16) { return d.Bus, uint16(d.Address) }

// Wires implements Part.
func (d *OLED) Wires() []Wire {
	return []Wire{
		{Terminal: "GND", Line: Ground},
		{Terminal: "VCC", Line: Volts3V3},
		{Terminal: "SDA", Device: d.Bus, Function: "SDA"},
		{Terminal: "SCL", Device: d.Bus, Function: "SCL"},
	}
}

// SSD1306 is [display.ssd1306].
type SSD1306 struct{ OLED }

// Section implements Part.
func (*SSD1306) Section() string { return "display.ssd1306" }

// Open implements Display.
func (d *SSD1306) Open() (display.Device, error) { return d.open(oled.SSD1306) }

// SH1106 is [display.sh1106].
type SH1106 struct{ OLED }

// Section implements Part.
func (*SH1106) Section() string { return "display.sh1106" }

// Open implements Display.
func (d *SH1106) Open() (display.Device, error) { return d.open(oled.SH1106) }
