package board

import (
	"fmt"
	"strings"
	"time"

	"periph.io/x/conn/v3/i2c"

	"smartkiosk/device/display"
	"smartkiosk/device/display/hd44780"
)

// ROM is the character set of an HD44780: "a00", "a02", or "any" or "" if it is
// unknown.
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
	return start(lcd)
}

func (d *HD44780) check(Pi) error {
	if err := checkCells(d.Rows, d.Columns); err != nil {
		return err
	}
	if len(d.Data) != 4 {
		return fmt.Errorf("data has %d lines: write four, for D4, D5, D6 and D7", len(d.Data))
	}
	return d.ROM.check()
}

// Describe implements Part.
func (d *HD44780) Describe() Description {
	return Description{
		Title: fmt.Sprintf("%d×%d LCD", d.Columns, d.Rows), Label: "LCD", Picture: LCDPicture,
		Wiring: fmt.Sprintf("%d×%d letters, %s", d.Rows, d.Columns, strings.Join(append([]string{d.RS, d.E}, d.Data...), " ")),
		Buy: []string{
			fmt.Sprintf("%d×%d character LCD with an HD44780 or a compatible controller", d.Columns, d.Rows),
			"10 kΩ trimmer for the contrast",
		},
		Edges: cellEdges,
	}
}

// Wires implements Part.
func (d *HD44780) Wires() []Wire {
	wires := []Wire{
		{Terminal: "1 VSS", Line: Ground},
		{Terminal: "2 VDD", Line: Volts5},
		{Terminal: "3 V0", Line: Ground, Via: "trimmer", Note: "contrast: the middle pin of a 10 kΩ trimmer between VDD and VSS"},
		{Terminal: "4 RS", Line: d.RS},
		{Terminal: "5 R/W", Line: Ground, Note: "always connect it: if it is open, the module drives 5 V into the Pi"},
		{Terminal: "6 E", Line: d.E},
	}
	for i, name := range d.Data {
		wires = append(wires, Wire{Terminal: fmt.Sprintf("%d D%d", 11+i, 4+i), Line: name})
	}
	return append(wires,
		Wire{Terminal: "15 A", Line: Volts5, Via: "100 Ω", Note: "backlight; many modules already have the resistor"},
		Wire{Terminal: "16 K", Line: Ground})
}

// PCF8574 is [display.pcf8574]: a character display behind an I²C backpack.
type PCF8574 struct {
	Bus     string `toml:"bus"`     // device file
	Address int    `toml:"address"` // 7 bits
	Rows    int    `toml:"rows"`
	Columns int    `toml:"columns"`
	ROM     ROM    `toml:"rom"`
	// Pins are the terminals of P0 to P7; see hd44780.ParseWiring. LightActiveLow
	// is set if the light is on while its pin is low.
	Pins           []string `toml:"pins"`
	LightActiveLow bool     `toml:"light_active_low"`
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
	wiring, err := hd44780.ParseWiring(d.Pins, d.LightActiveLow)
	if err != nil {
		bus.Close()
		return nil, err
	}
	backpack, err := hd44780.NewBackpack(bus, uint16(d.Address), wiring, time.Sleep)
	if err != nil {
		bus.Close()
		return nil, err
	}
	lcd, err := hd44780.New(backpack, d.Rows, d.Columns, roms[d.ROM])
	if err != nil {
		bus.Close()
		return nil, err
	}
	return start(lcd)
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
	if _, err := hd44780.ParseWiring(d.Pins, d.LightActiveLow); err != nil {
		return fmt.Errorf("pins: %w", err)
	}
	return d.ROM.check()
}

// Device implements OnBus.
func (d *PCF8574) Device() (string, uint16) { return d.Bus, uint16(d.Address) }

// Describe implements Part.
func (d *PCF8574) Describe() Description {
	return Description{
		Title: fmt.Sprintf("%d×%d LCD on I²C", d.Columns, d.Rows), Label: "LCD", Picture: LCDPicture,
		Wiring: fmt.Sprintf("%d×%d letters, %#x of %s", d.Rows, d.Columns, d.Address, d.Bus),
		Buy: []string{
			fmt.Sprintf("%d×%d character LCD with a PCF8574 backpack, jumpers set to address %#x", d.Columns, d.Rows, d.Address),
			"I²C level shifter, 2 channels (BSS138 or similar)",
		},
		Edges: cellEdges,
	}
}

// Wires implements Part. The PCF8574 needs a bus of 100 kHz or less (NXP
// datasheet).
func (d *PCF8574) Wires() []Wire {
	const why = "the backpack pulls it up to 5 V, and the Pi tolerates 3.3 V"
	return []Wire{
		{Terminal: "GND", Line: Ground},
		{Terminal: "VCC", Line: Volts5},
		{Terminal: "SDA", Device: d.Bus, Function: "SDA", Slow: true, Via: "level shifter", Note: why},
		{Terminal: "SCL", Device: d.Bus, Function: "SCL", Slow: true, Via: "level shifter", Note: why},
		{Terminal: "shifter LV", Line: Volts3V3, Note: "its HV to 5V, its GND to GND"},
	}
}

// detectBackpack implements displayDriver.detect.
func detectBackpack(bus i2c.Bus, address uint16) (Candidate, bool) {
	chip := "PCF8574"
	switch address &^ 7 {
	case 0x20:
	case 0x38:
		chip = "PCF8574A"
	default:
		return Candidate{}, false
	}
	if may, err := hd44780.MayBeBackpack(bus, address); err != nil || !may {
		return Candidate{}, false
	}
	return Candidate{
		About: chip + ", as on the backpacks of character displays",
		Doubt: "rows = 2, columns = 16 for the smaller display; it may also be a board of relays or keys",
		Keys:  []string{"rows = 4", "columns = 20"},
	}, true
}

// checkI2C checks that parts can be wired to a bus.
func checkI2C(pi Pi, bus string) error {
	if pi != "" && bus != i2cBus {
		return fmt.Errorf("bus is %q: the header of a Pi has %s", bus, i2cBus)
	}
	return checkDevice("bus", bus, i2cBus)
}
