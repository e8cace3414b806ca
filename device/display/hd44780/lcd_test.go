package hd44780_test

import (
	"testing"
	"time"

	"periph.io/x/conn/v3/display"

	ours "smartkiosk/device/display"
	"smartkiosk/device/display/displaysim"
	"smartkiosk/device/display/hd44780"
)

// simulated is a driver at a simulated module behind a backpack.
func simulated(t testing.TB, rows, cols int, rom hd44780.ROM) (*displaysim.HD44780, *ours.Text) {
	t.Helper()
	clock := &displaysim.Clock{}
	lcd := displaysim.NewHD44780(rows, cols, clock)
	bus := &displaysim.I2C{Address: 0x20, Target: displaysim.NewExpander(lcd), Hertz: 100000, Clock: clock}
	backpack, err := hd44780.NewBackpack(bus, 0x20, clock.Wait)
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

// TestROMs looks at the codes: the simulated module has ROM A00 alone. Table 4
// of the datasheet has both.
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
		if _, err := text.WriteString(tt.letter); err != nil {
			t.Fatal(err)
		}
		if got := lcd.Code(0, 0); got != tt.want {
			t.Errorf("ROM %d: %s is %#02x, want %#02x", tt.rom, tt.letter, got, tt.want)
		}
	}
}

// TestCursor follows it over the four rows, also past letters that are taught,
// which move the controller's address elsewhere.
func TestCursor(t *testing.T) {
	lcd, text := simulated(t, 4, 20, hd44780.AnyROM)
	if err := text.Cursor(display.CursorUnderline, display.CursorBlink); err != nil {
		t.Fatal(err)
	}
	for row := range 4 {
		if err := text.MoveTo(row, 5); err != nil {
			t.Fatal(err)
		}
		if _, err := text.WriteString("æ" + string(rune('á'+row))); err != nil {
			t.Fatal(err)
		}
		if r, c, underlined, blinking := lcd.Cursor(); r != row || c != 7 || !underlined || !blinking {
			t.Errorf("row %d: cursor at %d, %d, underlined %v, blinking %v", row, r, c, underlined, blinking)
		}
	}
	if err := text.Cursor(display.CursorOff); err != nil {
		t.Fatal(err)
	}
	if _, _, underlined, blinking := lcd.Cursor(); underlined || blinking {
		t.Error("the cursor is not off")
	}
	if len(lcd.Faults) > 0 {
		t.Error(lcd.Faults)
	}
}

// TestRefreshTime: the bus is never idle while a whole frame is written.
func TestRefreshTime(t *testing.T) {
	clock := &displaysim.Clock{}
	lcd := displaysim.NewHD44780(4, 20, clock)
	bus := &displaysim.I2C{Address: 0x27, Target: displaysim.NewExpander(lcd), Hertz: 100000, Clock: clock}
	backpack, err := hd44780.NewBackpack(bus, 0x27, clock.Wait)
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
	// The address, RS, and 80 letters of four bytes, all of nine bits, start and
	// stop: the rows follow each other without a place being set.
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

// A driver that nobody waits for any more does not touch the pins that another
// one has: not by what it still writes, nor when it is closed.
func TestGPIOTakenOver(t *testing.T) {
	clock := &displaysim.Clock{}
	wires := &displaysim.Wires{LCD: displaysim.NewHD44780(2, 16, clock)}
	pins := hd44780.Pins{RS: wires.Pin("RS"), E: wires.Pin("E")}
	for i, name := range []string{"D4", "D5", "D6", "D7"} {
		pins.D[i] = wires.Pin(name)
	}
	var buses [2]*hd44780.GPIO
	for i := range buses {
		var err error
		if buses[i], err = hd44780.NewGPIO(pins, clock.Wait); err != nil {
			t.Fatal(err)
		}
	}
	late, inUse := buses[0], buses[1]
	if err := late.Byte(true, 'x'); err == nil {
		t.Error("the late one writes")
	}
	if err := late.Close(); err != nil {
		t.Error(err)
	}
	if err := inUse.Byte(true, 'x'); err != nil {
		t.Error(err)
	}
	if err := inUse.Close(); err != nil {
		t.Error(err)
	}
	if err := inUse.Byte(true, 'x'); err == nil {
		t.Error("one that is closed writes")
	}
}
