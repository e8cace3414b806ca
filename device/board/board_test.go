package board

import (
	"os"
	"path/filepath"
	"reflect"
	"smartkiosk/device/display/oled"
	"strings"
	"testing"
	"time"
)

// whole has all the sections that a board can have at the same time.
const whole = `
name = "All there is"
pi = "4b"
[keypad.matrix]
rows = ["GPIO5", "GPIO6", "GPIO13", "GPIO19"]
columns = ["GPIO12", "GPIO16", "GPIO20", "GPIO11"]
layout = ["123L", "456 ", "789 ", "*0# "]
stuck_after = "30s"
poll = "10ms"
[keypad.usb]
match = "Numeric"
stuck_after = "25s"
double_strike = "300ms"
repeat_after = "800ms"
repeat_every = "400ms"
[display.hd44780]
rows = 2
columns = 16
rs = "GPIO7"
e = "GPIO8"
data = ["GPIO25", "GPIO24", "GPIO23", "GPIO10"]
rom = "a02"
[display.pcf8574]
bus = "/dev/i2c-1"
address = 0x27
rows = 4
columns = 20
rom = "a00"
[display.ssd1306]
bus = "/dev/i2c-1"
address = 0x3c
text = "large"
[display.sh1106]
bus = "/dev/i2c-1"
address = 0x3d
column_offset = 0
[display.serlcd]
port = "/dev/ttyUSB0"
baud = 9600
rows = 2
columns = 16
[display.lk204]
port = "/dev/ttyUSB1"
baud = 19200
[display.dm-d110]
port = "/dev/serial0"
baud = 9600
[buzzer.piezo]
chip = "/sys/class/pwm/pwmchip0"
channel = 0
pin = "GPIO18"
[lamps]
green = "GPIO17"
yellow = "GPIO27"
red = "GPIO22"
active_low = true
[strike]
pin = "GPIO26"
open = "3s"
max = "10s"
[tamper]
pin = "GPIO21"
[watchdog]
device = "/dev/watchdog"
timeout = "15s"
`

func TestParse(t *testing.T) {
	b, err := Parse(whole)
	if err != nil {
		t.Fatal(err)
	}
	seconds := func(n time.Duration) Duration { return Duration{n * time.Second} }
	want := &Board{Name: "All there is", Pi: "4b"}
	want.Keypad.Matrix = &Matrix{
		Rows: []string{"GPIO5", "GPIO6", "GPIO13", "GPIO19"}, Columns: []string{"GPIO12", "GPIO16", "GPIO20", "GPIO11"},
		Layout: []string{"123L", "456 ", "789 ", "*0# "}, StuckAfter: seconds(30), Poll: Duration{10 * time.Millisecond},
	}
	want.Keypad.USB = &USB{Match: "Numeric", StuckAfter: seconds(25), Timing: Timing{Duration{300 * time.Millisecond}, Duration{800 * time.Millisecond}, Duration{400 * time.Millisecond}}}
	want.Displays = []Display{
		&HD44780{Rows: 2, Columns: 16, RS: "GPIO7", E: "GPIO8", Data: []string{"GPIO25", "GPIO24", "GPIO23", "GPIO10"}, ROM: "a02"},
		&OLED{Chip: oled.SSD1306, Bus: "/dev/i2c-1", Address: 0x3c, Text: "large"},
		&OLED{Chip: oled.SH1106, Bus: "/dev/i2c-1", Address: 0x3d, ColumnOffset: new(int)},
		&PCF8574{Bus: "/dev/i2c-1", Address: 0x27, Rows: 4, Columns: 20, ROM: "a00"},
		&SerLCD{Serial: Serial{"/dev/ttyUSB0", 9600}, Rows: 2, Columns: 16},
		&LK204{Serial{"/dev/ttyUSB1", 19200}},
		&DMD110{Serial{"/dev/serial0", 9600}},
	}
	want.Buzzer.Piezo = &Piezo{Chip: "/sys/class/pwm/pwmchip0", Channel: 0, Pin: "GPIO18"}
	want.Lamps = &Lamps{Green: "GPIO17", Yellow: "GPIO27", Red: "GPIO22", ActiveLow: true}
	want.Strike = &Strike{Pin: "GPIO26", OpenFor: seconds(3), Max: seconds(10)}
	want.Tamper = &Tamper{Pin: "GPIO21"}
	want.Watchdog = &Watchdog{Device: "/dev/watchdog", Timeout: seconds(15)}
	if !reflect.DeepEqual(b, want) {
		t.Errorf("got  %+v\nwant %+v", b, want)
	}
	var sections []string
	for _, p := range b.Parts() {
		sections = append(sections, p.Section())
	}
	const all = "keypad.matrix keypad.usb display.hd44780 display.ssd1306 display.sh1106 display.pcf8574 display.serlcd display.lk204 display.dm-d110 buzzer.piezo lamps strike tamper watchdog"
	if got := strings.Join(sections, " "); got != all {
		t.Errorf("parts %s", got)
	}
	if b.Sounder() != Sounder(b.Buzzer.Piezo) {
		t.Errorf("sounder %v", b.Sounder())
	}
}

// Each mistake must produce an error that names its place and says what to do.
func TestMistakes(t *testing.T) {
	const top = "name = \"x\"\npi = \"zero-2-w\"\n"
	const matrix = "[keypad.matrix]\nrows = [\"GPIO5\", \"GPIO6\", \"GPIO13\", \"GPIO19\"]\ncolumns = [\"GPIO12\", \"GPIO16\", \"GPIO20\"]\nlayout = [\"123\", \"456\", \"789\", \"*0#\"]\n"
	const lcd = "[display.pcf8574]\nbus = \"/dev/i2c-1\"\naddress = 0x27\nrows = 4\ncolumns = 20\n"
	const strike = "[strike]\npin = \"GPIO26\"\nopen = \"3s\"\nmax = \"10s\"\n"
	const pad = "[keypad.usb]\n"
	for _, tt := range []struct{ text, old, new, want string }{
		{top, "", "", "there are no parts: add a section, for example [keypad.usb]"},
		{pad, "", "", "name is missing: write what this board is for"},
		{top + pad, "zero-2-w", "2b", "pi is \"2b\", which is not a known model: use one of zero-2-w, 3b, 3b-plus, 4b, or leave pi out for another machine"},
		{top + "[keypad.usb", "", "", "line 3, column 11: toml: expected ']' to close table name"},
		{top + pad + "matches = \"\"", "", "", "line 4: unknown key \"keypad.usb.matches\": correct or remove it"},
		{top + "[display.vfd]\n", "", "", "line 3: unknown key \"display.vfd\": correct or remove it"},
		{top + strike, `"3s"`, `3`, "\"3\" is not a duration: write it like \"3s\" or \"500ms\""},
		{top + strike, `"3s"`, `"3 sec"`, "line 5, column 8: toml: \"3 sec\" is not a duration: write it like \"3s\" or \"500ms\""},

		{top + matrix, `"GPIO20"`, `"GPIO19"`, "[keypad.matrix] column 3: GPIO19 is already used by [keypad.matrix] row 4: use another line"},
		{top + matrix, `"GPIO20"`, `"GPIO28"`, "[keypad.matrix] column 3: the header has no line \"GPIO28\": use GPIO2 to GPIO27"},
		{top + matrix, `"GPIO20"`, `"20"`, "[keypad.matrix] column 3: the header has no line \"20\": use GPIO2 to GPIO27"},
		{top + matrix, `"GPIO20"`, `"GPIO1"`, "[keypad.matrix] column 3: GPIO1 is reserved for the EEPROM of an add-on board, which the Pi reads when it starts: use GPIO2 to GPIO27"},
		{top + matrix, `"GPIO20"`, `""`, "[keypad.matrix] column 3: no line is given: write the line that it is wired to, for example \"GPIO17\""},
		{top + matrix, `, "GPIO20"`, ``, "[keypad.matrix] layout row 1 is \"123\", 3 keys, but columns has 2 lines: write one character for each column"},
		{top + matrix, `, "GPIO19"`, ``, "[keypad.matrix] layout has 4 rows, but rows has 3 lines: write one string for each row"},
		{top + matrix, `rows = ["GPIO5", "GPIO6", "GPIO13", "GPIO19"]`, `rows = []`, "[keypad.matrix] rows has 0 lines and columns has 3: a keypad has 1 to 32 keys"},
		{top + matrix, `"*0#"`, `"*0x"`, "[keypad.matrix] layout has the unknown key 'x': use 0 to 9, *, #, L for the language key, R and V for repeat and volume of speech, and a space for a key that does nothing"},
		{top + matrix, `"*0#"`, `"*0 "`, "[keypad.matrix] layout has the key '#' 0 times: PIN entry needs each of 0 to 9, * and # exactly once"},
		{top + matrix + "stuck_after = \"1ms\"", "", "", "[keypad.matrix] stuck_after is 1ms: use 1s to 10m0s"},
		{top + matrix + "poll = \"1s\"", "", "", "[keypad.matrix] poll is 1s: use 5ms to 100ms"},
		{top + pad + "double_strike = \"3s\"", "", "", "[keypad.usb] double_strike is 3s: use 0s to 2s"},
		{top + matrix + "repeat_after = \"1s\"", "", "", "[keypad.matrix] repeat_every is 0s: use 100ms to 5s"},
		{top + pad + "stuck_after = \"1h\"", "", "", "[keypad.usb] stuck_after is 1h0m0s: use 1s to 10m0s"},

		{top + lcd, "0x27", "0x3c0", "[display.pcf8574] address is 0x3c0: use 0x20 to 0x27 for a PCF8574 (most have 0x27), 0x38 to 0x3f for a PCF8574A (most have 0x3f)"},
		{top + lcd, "i2c-1", "i2c-0", "[display.pcf8574] bus is \"/dev/i2c-0\": the header of a Pi has /dev/i2c-1"},
		{top + lcd, "= 20", "= 40", "[display.pcf8574] rows and columns are 4 and 40: use 2 and 16, 2 and 20 or 4 and 20"},
		{top + lcd + "pins = [\"rs\"]", "", "", "[display.pcf8574] pins: 1 pins are named: name the terminals of P0 to P7"},
		{top + "[display.ssd1306]\nbus = \"/dev/i2c-1\"\naddress = 0x3c\ncolumn_offset = 5", "", "", "[display.ssd1306] column_offset is 5: use 0 to 4"},
		{top + lcd + "rom = \"a03\"", "", "", "[display.pcf8574] rom is \"a03\": use \"any\", \"a00\" or \"a02\""},
		{top + lcd + "[tamper]\npin = \"GPIO3\"", "", "", "[tamper] NO: GPIO3 is already used by /dev/i2c-1: use another line"},
		{strings.Replace(top+matrix+lcd, "GPIO20", "GPIO2", 1), "", "", "[display.pcf8574] /dev/i2c-1 needs GPIO2 as its SDA, but [keypad.matrix] column 3 already uses that line: use another line there"},
		{top + "[display.ssd1306]\nbus = \"/dev/i2c-1\"\naddress = 0x78", "", "", "[display.ssd1306] address is 0x78: use 0x3c, or 0x3d if the module's jumper is set (some modules print it doubled: 0x78 and 0x7a)"},
		{top + "[display.ssd1306]\nbus = \"/dev/i2c-1\"\naddress = 0x3c\ntext = \"huge\"", "", "", "[display.ssd1306] text is \"huge\": use \"normal\" or \"large\""},
		{top + lcd + "[display.sh1106]\nbus = \"/dev/i2c-1\"\naddress = 0x3c\n[display.ssd1306]\nbus = \"/dev/i2c-1\"\naddress = 0x3c", "", "", "[display.sh1106] address 0x3c of /dev/i2c-1 is already used by [display.ssd1306]: two parts cannot share it"},
		{top + "[display.hd44780]\nrows = 2\ncolumns = 16\ndata = []\nrs = \"GPIO7\"\ne = \"GPIO8\"", "", "", "[display.hd44780] data has 0 lines: write four, for D4, D5, D6 and D7"},
		{top + "[display.serlcd]\nrows = 2\ncolumns = 20\nport = \"/dev/serial0\"\nbaud = 9600", "", "", "[display.serlcd] rows and columns are 2 and 20: use 2 and 16, or 4 and 20"},
		{top + "[display.lk204]\nport = \"/dev/serial0\"\nbaud = 9601", "", "", "[display.lk204] baud is 9601: use the rate that the display is set to, one of [2400 4800 9600 19200 38400 57600 115200]"},
		{top + "[display.lk204]\nport = \"serial0\"\nbaud = 9600", "", "", "[display.lk204] port is \"serial0\", which is not a device file: write it like \"/dev/serial0\""},
		{top + "[display.lk204]\nport = \"/dev/serial0\"\nbaud = 9600\n[display.dm-d110]\nport = \"/dev/serial0\"\nbaud = 9600", "", "", "[display.dm-d110] /dev/serial0 is already used by [display.lk204]: two parts cannot share it"},
		{top + "[display.lk204]\nport = \"/dev/serial0\"\nbaud = 9600\n[tamper]\npin = \"GPIO15\"", "", "", "[tamper] NO: GPIO15 is already used by /dev/serial0: use another line"},

		{top + "[buzzer.active]\npin = \"GPIO4\"\n[buzzer.piezo]\npin = \"GPIO18\"", "", "", "[buzzer.active] and [buzzer.piezo] are both there: a board has one buzzer: remove one"},
		{top + "[buzzer.piezo]\nchip = \"/sys/class/pwm/pwmchip0\"\nchannel = 0\npin = \"GPIO17\"", "", "", "[buzzer.piezo] pin is \"GPIO17\", which has no PWM: use GPIO12, GPIO13, GPIO18 or GPIO19"},
		{top + "[buzzer.piezo]\nchip = \"/sys/class/pwm/pwmchip0\"\nchannel = 1\npin = \"GPIO18\"", "", "", "[buzzer.piezo] channel is 1: GPIO18 is on channel 0"},
		{top + "[buzzer.piezo]\nchip = \"pwmchip0\"\nchannel = 1\npin = \"GPIO18\"", "", "", "[buzzer.piezo] chip is \"pwmchip0\", which is not a device file: write it like \"/sys/class/pwm/pwmchip0\""},
		{top + "[buzzer.piezo]\nchip = \"/sys/class/pwm/pwmchip0\"\nchannel = -1\npin = \"GPIO18\"", "", "", "[buzzer.piezo] channel is -1: use 0 to 15"},
		{top + "[lamps]\nactive_low = true", "", "", "[lamps] no lamp is given: write the line of green, yellow or red"},
		{top + "[lamps]\nred = \"GPIO4\"\ngreen = \"GPIO4\"", "", "", "[lamps] red anode: GPIO4 is already used by [lamps] green anode: use another line"},
		{top + strike, `"3s"`, `"3h"`, "[strike] open is 3h0m0s: use 500ms to 30s"},
		{top + strike, `"10s"`, `"2s"`, "[strike] max is 2s: use 3s to 1m0s"},
		{top + strike, "max = \"10s\"\n", "", "[strike] max is 0s: use 3s to 1m0s"},
		{top + strike, "GPIO26", "GPIO4", "[strike] pin is GPIO4, which the Pi pulls up when it starts, so the door would be open: use GPIO9 to GPIO27"},
		{top + strike + "active_low = true", "", "", "[strike] pin is GPIO26, which the Pi pulls down when it starts, so with active_low the door would be open: use GPIO4 to GPIO8"},
		{top + strike, "GPIO26", "GPIO40", "[strike] IN: the header has no line \"GPIO40\": use GPIO2 to GPIO27"},
		{top + "[watchdog]\ndevice = \"/dev/watchdog\"\ntimeout = \"16s\"", "", "", "[watchdog] timeout is 16s: use 10s to 15s"},
		{top + "[watchdog]\ndevice = \"/dev/watchdog\"\ntimeout = \"10500ms\"", "", "", "[watchdog] timeout is 10.5s: use whole seconds"},
		{top + "[watchdog]\ndevice = \"watchdog\"\ntimeout = \"10s\"", "", "", "[watchdog] device is \"watchdog\", which is not a device file: write it like \"/dev/watchdog\""},
	} {
		text := tt.text
		if tt.old != "" {
			if text = strings.Replace(text, tt.old, tt.new, 1); text == tt.text {
				t.Errorf("%q is not in %s", tt.old, text)
			}
		}
		if _, err := Parse(text); err == nil || err.Error() != tt.want {
			t.Errorf("%s:\ngot  %v\nwant %s", text, err, tt.want)
		}
	}
}

// A machine other than a Pi has its own lines, and its header is unknown.
func TestAnotherMachine(t *testing.T) {
	const other = "name = \"x\"\n[strike]\npin = \"DOOR\"\nopen = \"3s\"\nmax = \"10s\"\n[display.sh1106]\nbus = \"/dev/i2c-7\"\naddress = 0x3c\n[watchdog]\ndevice = \"/dev/watchdog1\"\ntimeout = \"60s\"\n"
	if _, err := Parse(other); err != nil {
		t.Error(err)
	}
	if _, err := Parse(other + "[tamper]\npin = \"DOOR\""); err == nil || err.Error() != "[tamper] NO: DOOR is already used by [strike] IN: use another line" {
		t.Error(err)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "board.toml")
	if _, err := Load(path); err == nil || !strings.HasPrefix(err.Error(), "cannot read board: open "+path) {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("pi = \"4b\""), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || err.Error() != "cannot use board "+path+": name is missing: write what this board is for" {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := Load(path); err != nil || b.Name != "All there is" {
		t.Error(b, err)
	}
}

// Parse must either refuse a file, or accept one whose parts can all be wired.
func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add("name = \"x\"\n[keypad.usb]")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := Parse(text)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, p := range b.Parts() {
			for _, w := range p.Wires() {
				line := w.LineOn(b.Pi)
				if w.Device == "" && !w.power() && (line == "" || seen[line]) {
					t.Errorf("[%s] %s goes to line %q", p.Section(), w.Terminal, line)
				}
				seen[line] = w.Device == "" && !w.power()
			}
		}
	})
}
