package wiring

import (
	"fmt"
	"strings"

	"smartkiosk/device/board"
)

// art draws a part around the origin, about 120 wide and 84 high.
func (d *drawing) art(p board.Part) {
	switch p := p.(type) {
	case *board.Matrix:
		d.keys(p.Layout, "#2b2b2b")
	case *board.USB:
		d.add(`<g transform="translate(0 5) scale(.86)"><path d="M0 -40 v-6 q0 -8 10 -8 h14" fill="none" stroke="#2b2b2b" stroke-width="3"/>`)
		d.keys([]string{"789", "456", "123", "*0#"}, "#2b2b2b")
		d.add(`</g>`)
	case board.Display:
		switch p.Describe().Picture {
		case board.OLEDPicture:
			d.glass("#000", "#fff", "Sett inn kortet", "Brikken fram", "og opp.")
		case board.PolePicture:
			d.add(`<rect x="-4" y="14" width="8" height="22" fill="#777"/><rect x="-22" y="34" width="44" height="6" rx="3" fill="#777"/>`)
			d.add(`<g transform="translate(0 -12)">`)
			d.glass("#06201c", "#5cf2d6", "Sett inn kortet", "English: *")
			d.add(`</g>`)
		default:
			d.glass("#1f4fa8", "#dfe9ff", "Sett inn kortet", "Brikken fram", "og opp.")
		}
	case *board.Active, *board.Piezo:
		d.add(`<circle r="27" fill="#2b2b2b"/><circle r="6" fill="#777"/>`)
		for _, r := range []int{36, 43} {
			d.add(`<path d="M%[1]d -%[1]d a%[2]d %[2]d 0 0 1 0 %[3]d" fill="none" stroke="#888" stroke-width="3" stroke-linecap="round"/>`, r*7/10, r, 2*r*7/10)
		}
	case *board.Lamps:
		for i, lamp := range []struct{ line, colour string }{{p.Green, "#2fb457"}, {p.Yellow, "#f0b818"}, {p.Red, "#e0383f"}} {
			if lamp.line != "" {
				d.add(`<circle cx="%d" r="15" fill="%s" stroke="#444" stroke-width="2"/><circle cx="%d" cy="-5" r="4" fill="#fff" opacity=".6"/>`, 36*(i-1), lamp.colour, 36*(i-1)-5)
			}
		}
	case *board.Strike:
		d.add(`<rect x="-27" y="-40" width="54" height="80" rx="3" fill="#b98a58" stroke="#6d4c2a" stroke-width="3"/><rect x="27" y="-12" width="10" height="26" rx="2" fill="#9aa0a6" stroke="#555"/><circle cx="16" cy="1" r="5" fill="#f4e3b0" stroke="#6d4c2a"/>`)
		d.text(52, 6, 12, "#555", "middle", "bold", p.OpenFor.String())
	case *board.Tamper:
		d.add(`<rect x="-38" y="-14" width="76" height="48" rx="5" fill="#e8e8e3" stroke="#555" stroke-width="3"/><path d="M-38 -20 L34 -38" stroke="#555" stroke-width="7" stroke-linecap="round"/><rect x="16" y="-24" width="14" height="12" rx="2" fill="#00707a"/>`)
	case *board.Watchdog:
		d.add(`<circle r="30" fill="none" stroke="#5a5f66" stroke-width="5" stroke-dasharray="150 39"/><path d="M24 -30 l9 15 l-18 1 z" fill="#5a5f66"/>`)
		d.text(0, 6, 15, "#3a3f46", "middle", "bold", p.Timeout.String())
	}
}

// keys draws a keypad.
func (d *drawing) keys(layout []string, colour string) {
	const size, step = 17, 20
	high, wide := len(layout)*step, len([]rune(layout[0]))*step
	d.add(`<rect x="%d" y="%d" width="%d" height="%d" rx="6" fill="%s"/>`, -wide/2-4, -high/2-4, wide+8, high+8, colour)
	for r, row := range layout {
		for c, key := range []rune(row) {
			x, y := -wide/2+c*step+(step-size)/2, -high/2+r*step+(step-size)/2
			name, fill := string(key), "#f4f4ef"
			switch key {
			case '*':
				name, fill = "✱", "#ffd9a8"
			case '#':
				fill = "#bfe8c6"
			case 'L':
				name, fill = "A", "#bcd6f5"
			case 'R':
				name, fill = "B", "#bcd6f5"
			case 'V':
				name, fill = "C", "#bcd6f5"
			}
			d.add(`<rect x="%d" y="%d" width="%d" height="%d" rx="3" fill="%s"/>`, x, y, size, size, fill)
			d.text(x+size/2, y+13, 12, "#1b1b1b", "middle", "bold", strings.TrimSpace(name))
		}
	}
}

// glass draws a display with a few rows of letters.
func (d *drawing) glass(colour, letters string, rows ...string) {
	high := 14*len(rows) + 12
	d.add(`<rect x="-62" y="%d" width="124" height="%d" rx="5" fill="#2b2b2b"/>`, -high/2-6, high+12)
	d.add(`<rect x="-56" y="%d" width="112" height="%d" rx="2" fill="%s"/>`, -high/2, high, colour)
	for i, row := range rows {
		d.add(`<text x="-50" y="%d" font-size="11" font-family="'DejaVu Sans Mono', monospace" fill="%s">%s</text>`, -high/2+17+14*i, letters, fmt.Sprint(row))
	}
}
