//go:build linux

package main

import (
	"fmt"
	"strings"

	"smartkiosk/device/board"
)

// pis lists the models whose header package board knows, by the beginning of the name
// in the device tree.
var pis = []struct {
	model string
	pi    board.Pi
}{
	{"Raspberry Pi Zero 2", "zero-2-w"},
	{"Raspberry Pi 3 Model B Plus", "3b-plus"},
	{"Raspberry Pi 3 Model B", "3b"},
	{"Raspberry Pi 4 Model B", "4b"},
}

// usualBaud is the factory setting of most customer displays and of the SerLCD, in bits
// per second.
const usualBaud = 9600

// proposal is a wiring file that is being written.
type proposal struct {
	strings.Builder
	sections map[string]bool // sections written so far; each may occur once
}

// section writes a section with the remark above it. A second section with the same
// name is written as a comment.
func (p *proposal) section(name, remark string, keys ...string) {
	p.write(name, remark, p.sections[name], keys)
	p.sections[name] = true
}

// maybe writes a section as a comment, for a part that cannot be detected.
func (p *proposal) maybe(name, remark string, keys ...string) { p.write(name, remark, true, keys) }

func (p *proposal) write(name, remark string, comment bool, keys []string) {
	p.WriteByte('\n')
	if remark != "" {
		fmt.Fprintf(p, "# %s\n", remark)
	}
	mark := ""
	if comment {
		mark = "#"
	}
	fmt.Fprintf(p, "%s[%s]\n", mark, name)
	for _, k := range keys {
		fmt.Fprintf(p, "%s%s\n", mark, k)
	}
}

// propose returns a wiring file for the findings, or "" if nothing was found. It
// contains the parts that cannot be detected as comments.
func propose(f findings) string {
	p := proposal{sections: make(map[string]bool)}
	name := f.Machine
	if name == "" {
		name = "A panel"
	}
	fmt.Fprintf(&p, "name = %s\n", quote(name))
	if pi := f.pi(); pi != "" {
		fmt.Fprintf(&p, "pi = %s\n", quote(string(pi)))
	}
	p.keypad(f)
	p.display(f)
	for _, d := range f.Watchdogs {
		keys := []string{"device = " + quote(d.Device), `timeout = "15s"`}
		if d.State == "active" {
			p.maybe("watchdog", "It runs already: if systemd has it, take RuntimeWatchdogSec= away first.", keys...)
		} else {
			p.section("watchdog", "", keys...)
		}
	}
	if len(p.sections) == 0 {
		return ""
	}
	return p.String()
}

// pi returns the model if package board knows its header. It returns "" if a display is
// on a bus other than the header's.
func (f findings) pi() board.Pi {
	for _, bus := range f.I2C {
		for _, part := range bus.Parts {
			if part.Section != "" && bus.Device != "/dev/i2c-1" {
				return ""
			}
		}
	}
	for _, known := range pis {
		if strings.HasPrefix(f.Machine, known.model) {
			return known.pi
		}
	}
	return ""
}

func (p *proposal) keypad(f findings) {
	for _, pad := range f.Pads {
		if !pad.Named {
			p.section("keypad.usb", fmt.Sprintf("%q", pad.Name))
			return
		}
	}
	for _, pad := range f.Pads {
		p.maybe("keypad.usb", "It has letters too, as a whole keyboard has: is it the panel's?", "match = "+quote(pad.Name))
	}
	if len(f.GPIO) > 0 {
		p.maybe("keypad.matrix", "Bare contacts are not seen by looking. If there are any: the lines as they are wired.",
			`rows = ["GPIO5", "GPIO6", "GPIO13", "GPIO19"]`, `columns = ["GPIO12", "GPIO16", "GPIO20", "GPIO21"]`,
			`layout = ["123L", "456 ", "789 ", "*0# "]`)
	}
}

func (p *proposal) display(f findings) {
	found := false
	for _, bus := range f.I2C {
		for _, part := range bus.Parts {
			if part.Section == "" {
				continue
			}
			found = true
			keys := []string{"bus = " + quote(bus.Device), "address = " + part.Address}
			p.section(part.Section, part.Doubt, append(keys, part.keys...)...)
		}
	}
	for _, port := range f.Serial {
		if found || !port.Free {
			continue
		}
		sections := board.SerialDisplays()
		p.maybe(sections[len(sections)-1], "A display at a serial port cannot be detected. If there is one, use one of "+strings.Join(sections, ", ")+".",
			"port = "+quote(port.Device), fmt.Sprintf("baud = %d", usualBaud))
	}
}

// quote returns s as a TOML string. The names that devices give themselves may contain
// any characters.
func quote(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(clean) + `"`
}
