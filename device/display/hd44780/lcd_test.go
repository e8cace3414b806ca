package hd44780_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	ours "smartkiosk/device/display"
	"smartkiosk/device/display/displaysim"
	"smartkiosk/device/display/hd44780"
)

// simulated is a driver with a simulated module behind a backpack.
func simulated(t testing.TB, rows, cols int, rom hd44780.ROM) (*displaysim.HD44780, *ours.Text) {
	t.Helper()
	clock := &displaysim.Clock{}
	lcd := displaysim.NewHD44780(rows, cols, clock)
	bus := &displaysim.I2C{Address: 0x20, Target: displaysim.NewExpander(lcd), Hertz: 100000, Clock: clock}
	backpack, err := hd44780.NewBackpack(bus, 0x20, hd44780.Common, clock.Wait)
	if err != nil {
		t.Fatal(err)
	}
	part, err := hd44780.New(backpack, rows, cols, rom)
	if err != nil {
		t.Fatal(err)
	}
	text, err := ours.NewText(part)
	if err != nil {
		t.Fatal(err)
	}
	return lcd, text
}

// TestROMs checks the codes against table 4 of the datasheet, which has both
// ROMs. The simulated module has only ROM A00.
func TestROMs(t *testing.T) {
	for _, tt := range []struct {
		rom    hd44780.ROM
		letter string
		want   byte
	}{
		{hd44780.AnyROM, "a", 'a'}, {hd44780.AnyROM, "ä", 0}, {hd44780.AnyROM, "ø", 0}, {hd44780.AnyROM, "\\", 0},
		{hd44780.A00, "ä", 0xe1}, {hd44780.A00, "ö", 0xef}, {hd44780.A00, "ü", 0xf5}, {hd44780.A00, "°", 0xdf}, {hd44780.A00, "→", 0x7e},
		{hd44780.A00, "ø", 0}, {hd44780.A00, "\\", 0}, {hd44780.A00, "~", 0},
		{hd44780.A02, "æ", 0xe6}, {hd44780.A02, "ø", 0xf8}, {hd44780.A02, "å", 0xe5}, {hd44780.A02, "Æ", 0xc6}, {hd44780.A02, "\\", '\\'},
		{hd44780.A02, "č", 0}, {hd44780.A02, "日", '?'},
	} {
		lcd, text := simulated(t, 2, 16, tt.rom)
		if err := text.Show(ours.Frame{Rows: []string{tt.letter}}); err != nil {
			t.Fatal(err)
		}
		if got := lcd.Code(0, 0); got != tt.want {
			t.Errorf("ROM %d: %s is %#02x, want %#02x", tt.rom, tt.letter, got, tt.want)
		}
	}
}

// TestRefreshTime checks that the bus is never idle while a whole frame is
// written.
func TestRefreshTime(t *testing.T) {
	clock := &displaysim.Clock{}
	lcd := displaysim.NewHD44780(4, 20, clock)
	bus := &displaysim.I2C{Address: 0x27, Target: displaysim.NewExpander(lcd), Hertz: 100000, Clock: clock}
	backpack, err := hd44780.NewBackpack(bus, 0x27, hd44780.Common, clock.Wait)
	if err != nil {
		t.Fatal(err)
	}
	part, err := hd44780.New(backpack, 4, 20, hd44780.AnyROM)
	if err != nil {
		t.Fatal(err)
	}
	text, err := ours.NewText(part)
	if err != nil {
		t.Fatal(err)
	}
	row := "abcdefghijklmnopqrst"
	before, bits := clock.Now(), bus.Bits
	if err := text.Show(ours.Frame{Rows: []string{row, row, row, row}}); err != nil {
		t.Fatal(err)
	}
	took, busy := clock.Now()-before, time.Duration(bus.Bits-bits)*10*time.Microsecond
	if took != busy {
		t.Errorf("took %v, of which the bus was busy %v", took, busy)
	}
	// The bits are those of the address, of RS, and of 80 letters of four bytes,
	// nine bits each, with start and stop. The rows follow each other, so the
	// driver sets no address between them.
	if got, want := bus.Bits-bits, 9+9+80*4*9+2; got != want {
		t.Errorf("%d bits, want %d", got, want)
	}
	if len(lcd.Faults) > 0 {
		t.Error(lcd.Faults)
	}
}

// Pull-ups hold E high before the driver sets it. When the driver lowers E, the
// module executes what it reads at that moment, and needs its time before the
// first nibble of the initialization.
func TestFirstFallOfE(t *testing.T) {
	clock := &displaysim.Clock{}
	wires := &displaysim.Wires{LCD: displaysim.NewHD44780(2, 16, clock)}
	clock.Wait(time.Second) // the module had power long before
	wires.PullUp()
	pins := hd44780.Pins{RS: wires.Pin("RS"), E: wires.Pin("E")}
	for i, name := range []string{"D4", "D5", "D6", "D7"} {
		pins.D[i] = wires.Pin(name)
	}
	bus, err := hd44780.NewGPIO(pins, clock.Wait)
	if err != nil {
		t.Fatal(err)
	}
	lcd, err := hd44780.New(bus, 2, 16, hd44780.A00)
	if err != nil {
		t.Fatal(err)
	}
	if err := lcd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, fault := range wires.LCD.Faults {
		t.Error(fault)
	}
}

// TestGPIOAfterClose checks that a driver that was closed while it hung no longer
// sets the pins, because another driver may use them.
func TestGPIOAfterClose(t *testing.T) {
	clock := &displaysim.Clock{}
	wires := &displaysim.Wires{LCD: displaysim.NewHD44780(2, 16, clock)}
	halted := 0
	pin := func(name string) gpio.PinOut { return &countingPin{wires.Pin(name), &halted} }
	pins := hd44780.Pins{RS: pin("RS"), E: pin("E"), D: [4]gpio.PinOut{pin("D4"), pin("D5"), pin("D6"), pin("D7")}}
	bus, err := hd44780.NewGPIO(pins, clock.Wait)
	if err != nil {
		t.Fatal(err)
	}
	if err := bus.Byte(true, 'x'); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	}
	if halted != 6 {
		t.Errorf("pins were released %d times, want 6", halted)
	}
	if err := bus.Byte(true, 'y'); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a write after Close: %v", err)
	}
}

// countingPin counts the calls of Halt.
type countingPin struct {
	gpio.PinOut
	halted *int
}

func (p *countingPin) Halt() error { *p.halted++; return nil }
