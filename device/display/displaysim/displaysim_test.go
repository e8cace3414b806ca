package displaysim_test

import (
	"strings"
	"testing"
	"time"

	"smartkiosk/device/display/displaysim"
)

// lcd is a module with a driver that sends whole bytes.
type lcd struct {
	*displaysim.HD44780
	clock *displaysim.Clock
}

func newLCD() lcd {
	clock := &displaysim.Clock{}
	return lcd{displaysim.NewHD44780(2, 16, clock), clock}
}

func (l lcd) nibble(rs bool, n byte, wait time.Duration) {
	l.Pins(rs, true, n)
	l.Pins(rs, false, n)
	l.clock.Wait(wait)
}

func (l lcd) byte(rs bool, b byte, wait time.Duration) {
	l.nibble(rs, b>>4, 0)
	l.nibble(rs, b&15, wait)
}

// start sends figure 24 of the datasheet, with the figure's waits divided by
// scale.
func (l lcd) start(scale time.Duration) {
	l.clock.Wait(41 * time.Millisecond / scale)
	l.nibble(false, 3, 4200*time.Microsecond/scale)
	l.nibble(false, 3, 110*time.Microsecond/scale)
	l.nibble(false, 3, 40*time.Microsecond/scale)
	l.nibble(false, 2, 40*time.Microsecond/scale)
	for _, b := range []byte{0x28, 0x08, 0x01, 0x06, 0x0f} {
		wait := 40 * time.Microsecond
		if b == 0x01 {
			wait = 1600 * time.Microsecond
		}
		l.byte(false, b, wait/scale)
	}
}

// TestDatasheetExample plays table 12 of the HD44780's datasheet, after which the
// module shows HITACHI, on a module with two lines.
func TestDatasheetExample(t *testing.T) {
	l := newLCD()
	l.start(1)
	for _, c := range []byte("HITACHI") {
		l.byte(true, c, 45*time.Microsecond)
	}
	l.byte(false, 0xc0, 40*time.Microsecond) // table 13, step 9
	for _, c := range []byte("MICROCO") {
		l.byte(true, c, 45*time.Microsecond)
	}
	if got := l.Text(); strings.TrimSpace(got[0]) != "HITACHI" || strings.TrimSpace(got[1]) != "MICROCO" {
		t.Errorf("shows %q", got)
	}
	if len(l.Faults) > 0 {
		t.Error(l.Faults)
	}
}

// TestFaults checks that the simulations report what a real part might not accept.
func TestFaults(t *testing.T) {
	hasty := newLCD()
	hasty.start(2)
	if len(hasty.Faults) < 6 || !strings.Contains(hasty.Faults[0], "before the controller was ready") {
		t.Errorf("driver that waits half as long as it must: faults %q", hasty.Faults)
	}
	shifted := newLCD()
	shifted.start(1)
	shifted.byte(false, 0x18, 40*time.Microsecond)
	if len(shifted.Faults) != 1 {
		t.Errorf("display shift: faults %q", shifted.Faults)
	}
	x := displaysim.NewExpander(newLCD().HD44780)
	x.Message([]byte{0x08, 0x0d}, func() {})
	if len(x.LCD.Faults) != 1 || x.LCD.Faults[0] != "RS changed together with E" {
		t.Errorf("RS and E in one step: faults %q", x.LCD.Faults)
	}
	for _, tt := range []struct {
		name    string
		faults  func(w []byte) []string
		message []byte
	}{
		{"SSD1306: unknown command", ofOLED("SSD1306"), []byte{0x00, 0xf1}},
		{"SSD1306: another addressing mode", ofOLED("SSD1306"), []byte{0x00, 0x20, 0x00}},
		{"SH1106: addressing mode, which only the SSD1306 has", ofOLED("SH1106"), []byte{0x00, 0x20, 0x02}},
		{"SH1106: SSD1306's charge pump", ofOLED("SH1106"), []byte{0x00, 0x8d, 0x14}},
		{"SSD1306: 32 rows", ofOLED("SSD1306"), []byte{0x00, 0xa8, 0x1f}},
		{"SSD1306: control byte", ofOLED("SSD1306"), []byte{0x01, 0xae}},
		{"SerLCD: unknown setting", ofSerial(displaysim.NewSerLCD(2, 16)), []byte("|\x01")},
		{"SerLCD: past the end of the row", ofSerial(displaysim.NewSerLCD(2, 16)), []byte("|-12345678901234567")},
		{"LK204: unknown command", ofSerial(displaysim.NewLK204()), []byte("\xfe\x01")},
		{"LK204: past the end of the row", ofSerial(displaysim.NewLK204()), []byte("\xfeG\x15\x01")},
		{"DM-D110: unknown command", ofSerial(displaysim.NewDMD110()), []byte("\x1b\x01")},
		{"DM-D110: another code page", ofSerial(displaysim.NewDMD110()), []byte("\x1bt\x00")},
		{"DM-D110: control", ofSerial(displaysim.NewDMD110()), []byte("\x07")},
		{"DM-D110: row 3", ofSerial(displaysim.NewDMD110()), []byte("\x1f$\x01\x03")},
	} {
		if faults := tt.faults(tt.message); len(faults) != 1 {
			t.Errorf("%s: %q", tt.name, faults)
		}
	}
}

func ofOLED(chip string) func([]byte) []string {
	return func(w []byte) []string {
		o := displaysim.NewOLED(chip)
		o.Message(w, func() {})
		return o.Faults
	}
}

func ofSerial(s *displaysim.Serial) func([]byte) []string {
	return func(w []byte) []string {
		s.Write(w)
		return s.Faults
	}
}

// FuzzParts checks that no input makes a simulation panic.
func FuzzParts(f *testing.F) {
	f.Add([]byte("\xfeG\x01\x01\xfeN\x00\x01\x02\x03\x04\x05\x06\x07\x08\x00"))
	f.Add([]byte("|\x1b\x01\x02\x03\x04\x05\x06\x07\x08|#\xfe\x80\xfe\x0c"))
	f.Add([]byte("\x1b@\x1bt\x05\x1f$\x01\x02\x91\x9b\x86\x1fE\xff"))
	f.Add([]byte("\x80\xb0\x80\x00\x80\x10\x40\xff\x00\xaf"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range []*displaysim.Serial{
			displaysim.NewSerLCD(2, 16), displaysim.NewSerLCD(4, 20), displaysim.NewLK204(), displaysim.NewDMD110(),
		} {
			s.Write(b)
			if got := s.Text(); len(got) != s.Rows {
				t.Errorf("%d rows", len(got))
			}
		}
		for _, o := range []*displaysim.OLED{displaysim.NewOLED("SSD1306"), displaysim.NewOLED("SH1106")} {
			o.Message(b, func() {})
			o.Dots()
		}
		clock := &displaysim.Clock{}
		l := displaysim.NewHD44780(4, 20, clock)
		displaysim.NewExpander(l).Message(b, func() { clock.Wait(90 * time.Microsecond) })
		for _, p := range b { // each as one nibble
			l.Pins(p&16 != 0, true, p&15)
			l.Pins(p&16 != 0, false, p&15)
		}
		if got := l.Text(); len(got) != 4 {
			t.Errorf("%d rows", len(got))
		}
		l.Picture()
	})
}
