package wiring

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/device/board"
)

const folder = "../../../deploy/boards"

// The generated files in deploy/boards must be current.
func TestUpToDate(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(folder, "*.toml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no boards", err)
	}
	for _, file := range files {
		b, err := board.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(file, ".toml")
		for ending, want := range map[string][]byte{".md": Markdown(b, filepath.Base(name)), ".svg": SVG(b)} {
			if got, err := os.ReadFile(name + ending); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s is not what its board file says: run go generate ./device/board/wiring (%v)", name+ending, err)
			}
		}
	}
}

// Each line must be at its pin, and each power wire at a pin with that power.
func TestPins(t *testing.T) {
	b, err := board.Load(filepath.Join(folder, "zero2w-keypad-lcd.toml"))
	if err != nil {
		t.Fatal(err)
	}
	pins := map[string]int{}
	uses := map[int]int{}
	for _, c := range Of(b) {
		for _, w := range c.Wires {
			if w.Pin == 0 {
				continue
			}
			pins[c.Part.Section()+" "+w.Terminal] = w.Pin
			if at := board.Header[w.Pin-1]; at != w.Line {
				t.Errorf("[%s] %s goes to pin %d for %s, which is %s", c.Part.Section(), w.Terminal, w.Pin, w.Line, at)
			}
			if uses[w.Pin]++; uses[w.Pin] > 1 && !isPower(w.Line) {
				t.Errorf("pin %d has two wires", w.Pin)
			}
		}
	}
	// raspberrypi.com/documentation, "GPIO and the 40-pin header"
	for wire, want := range map[string]int{
		"keypad.matrix row 1": 29, "keypad.matrix column 4": 40, "display.pcf8574 SDA": 3, "display.pcf8574 SCL": 5,
		"display.pcf8574 shifter LV": 1, "strike IN": 18, "tamper NO": 22, "lamps red anode": 15,
	} {
		if pins[wire] != want {
			t.Errorf("%s goes to pin %d, want %d", wire, pins[wire], want)
		}
	}
}

// For any combination of parts, the picture is XML that names each wire, and the
// description lists each wire.
func TestWhole(t *testing.T) {
	const parts = `
name = "All <there> is"
[keypad.matrix]
rows = ["GPIO5", "GPIO6", "GPIO13", "GPIO19"]
columns = ["GPIO12", "GPIO16", "GPIO20"]
layout = ["123", "456", "789", "*0#"]
[keypad.usb]
[display.hd44780]
rows = 2
columns = 16
rs = "GPIO7"
e = "GPIO8"
data = ["GPIO25", "GPIO24", "GPIO23", "GPIO10"]
[display.pcf8574]
bus = "/dev/i2c-1"
address = 0x27
rows = 4
columns = 20
[display.ssd1306]
bus = "/dev/i2c-1"
address = 0x3c
[display.sh1106]
bus = "/dev/i2c-1"
address = 0x3d
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
red = "GPIO22"
active_low = true
[strike]
pin = "GPIO4"
open = "3s"
max = "10s"
active_low = true
[tamper]
pin = "GPIO21"
[watchdog]
device = "/dev/watchdog"
timeout = "15s"
`
	for _, pi := range []string{"", "pi = \"4b\"", "pi = \"zero-2-w\""} {
		b, err := board.Parse(pi + parts)
		if err != nil {
			t.Fatal(err)
		}
		picture, text := SVG(b), Markdown(b, "all")
		for d := xml.NewDecoder(bytes.NewReader(picture)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Contains(text, []byte("dtparam=spi=off")) {
			t.Error("nothing is said of SPI, whose lines are used")
		}
		for _, c := range Of(b) {
			said := c.Part.Describe()
			if said.Title == "" || !bytes.Contains(picture, []byte(said.Title)) {
				t.Errorf("nothing is said of %s but %q", c.Part.Section(), said.Title)
			}
			for _, w := range c.Wires {
				if !bytes.Contains(picture, []byte(said.Label+" "+w.Terminal)) || !bytes.Contains(text, []byte("| "+said.Title+" | "+w.Terminal+" |")) {
					t.Errorf("[%s] %s is not told", c.Part.Section(), w.Terminal)
				}
				if pi != "" && w.Device == "" && w.Pin == 0 {
					t.Errorf("[%s] %s goes nowhere", c.Part.Section(), w.Terminal)
				}
			}
		}
	}
}
