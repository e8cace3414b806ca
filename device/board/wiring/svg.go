package wiring

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"strings"

	"smartkiosk/device/board"
)

// Sizes in the picture's own units.
const (
	width   = 1160
	margin  = 28
	centre  = width / 2
	cardTop = 78
	cardH   = 132
	pinTop  = 262 // of the header
	pitch   = 30
	label   = 60 // width of the box with a line's name
	inner   = 66 // from the centre of the header to this box
	chips   = inner + label + 26
	pinEnd  = pinTop + 20*pitch
)

// colours are the colours of the parts, in order. White letters are readable on
// each.
var colours = []string{"#1f5fa8", "#1d7a46", "#7a3fa0", "#a85a00", "#b0323a", "#00707a", "#5a5f66"}

// powerColours are the usual colours of power wires.
var powerColours = map[string]string{board.Volts5: "#c62828", board.Volts3V3: "#d9691a", board.Ground: "#2b2b2b"}

// SVG draws the header of a board's Pi and the wires at each pin.
func SVG(b *board.Board) []byte {
	d := &drawing{}
	all := Of(b)
	beside := 0
	for _, c := range all {
		for _, w := range c.Wires {
			if w.Pin == 0 {
				beside++
			}
		}
	}
	height := pinEnd + 64 + 34*beside
	d.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif" role="img" aria-label="%s">`,
		width, height, html.EscapeString("Wiring of "+b.Name))
	d.add(`<rect width="%d" height="%d" rx="14" fill="#fbfbf8" stroke="#d5d5cf"/>`, width, height)
	d.text(margin, 44, 24, "#1b1b1b", "start", "bold", b.Name)
	d.text(width-margin, 44, 15, "#555", "end", "normal", b.Pi.String())

	d.cards(all)
	if b.Pi != "" {
		d.header(b.Pi)
	}
	d.wires(all)
	d.add(`</svg>`)
	return d.Bytes()
}

// drawing is an SVG document while it is written.
type drawing struct{ bytes.Buffer }

func (d *drawing) add(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

func (d *drawing) text(x, y, size int, colour, anchor, weight, text string) {
	d.add(`<text x="%d" y="%d" font-size="%d" fill="%s" text-anchor="%s" font-weight="%s">%s</text>`, x, y, size, colour, anchor, weight, html.EscapeString(text))
}

// cards draws each part, in the colour of its wires.
func (d *drawing) cards(all []Connections) {
	const gap = 12
	w := (width - 2*margin - gap*(len(all)-1)) / len(all)
	for i, c := range all {
		x := margin + i*(w+gap)
		d.add(`<rect x="%d" y="%d" width="%d" height="%d" rx="9" fill="%s"/>`, x, cardTop, w, cardH, colours[i%len(colours)])
		d.add(`<path d="M%d %d v-%d a8 8 0 0 1 8 -8 h%d a8 8 0 0 1 8 8 v%[3]d z" fill="#fff"/>`, x+1, cardTop+cardH-31, cardH-40, w-18)
		d.text(x+w/2, cardTop+cardH-10, 13, "#fff", "middle", "bold", c.Part.Describe().Title)
		d.add(`<g transform="translate(%d %d)">`, x+w/2, cardTop+52)
		d.art(c.Part)
		d.add(`</g>`)
	}
}

// header draws the Pi's edge with its 40 pins, seen from above with the end of
// the SD card at the top.
func (d *drawing) header(pi board.Pi) {
	top, bottom := pinTop-30, pinEnd+18
	d.add(`<path d="M%d %d h%d a14 14 0 0 1 14 14 v%d a14 14 0 0 1 -14 14 h-%d z" fill="#2f7d4f"/>`, centre-52, top, 90, bottom-top-28, 90)
	d.add(`<rect x="%d" y="%d" width="66" height="%d" rx="5" fill="#1c1c1c"/>`, centre-33, pinTop-3, 20*pitch+6)
	far := "▼ USB sockets"
	if pi == "zero-2-w" {
		far = "▼ away from the SD card"
	}
	d.text(centre-7, pinTop-11, 11, "#fff", "middle", "normal", "▲ SD card")
	d.text(centre, bottom+17, 11, "#555", "middle", "normal", far)
	for i, line := range board.Header {
		x, y := pinPlace(i + 1)
		ring := "#d9b44a"
		if i == 0 {
			d.add(`<rect x="%d" y="%d" width="24" height="24" fill="%s"/>`, x-12, y-12, ring)
		} else {
			d.add(`<circle cx="%d" cy="%d" r="12" fill="%s"/>`, x, y, ring)
		}
		d.text(x, y+4, 11, "#1c1c1c", "middle", "bold", fmt.Sprint(i+1))
		d.name(i+1, line, "#fff", "#8b8b85", "#e0e0da")
	}
}

// pinPlace returns the position of a pin.
func pinPlace(pin int) (x, y int) {
	x = centre - 16
	if pin%2 == 0 {
		x = centre + 16
	}
	return x, pinTop + (pin-1)/2*pitch + pitch/2
}

// name draws a line's name next to its pin.
func (d *drawing) name(pin int, line, fill, colour, stroke string) {
	_, y := pinPlace(pin)
	x := centre + inner
	if pin%2 == 1 {
		x = centre - inner - label
	}
	d.add(`<rect x="%d" y="%d" width="%d" height="22" rx="4" fill="%s" stroke="%s"/>`, x, y-11, label, fill, stroke)
	d.text(x+label/2, y+4, 12, colour, "middle", "bold", line)
}

// wires draws the wires at each pin, from the pin outwards, and below the header
// the wires that do not go to a pin.
func (d *drawing) wires(all []Connections) {
	reach := map[int]int{} // distance from the centre to the end of the labels at a pin
	below := pinEnd + 62
	for i, c := range all {
		for _, w := range c.Wires {
			text := c.Part.Describe().Label + " " + w.Terminal
			if w.Via != "" {
				text += " · " + w.Via
			}
			if _, keys := c.Part.(*board.Matrix); keys {
				text += " · " + strings.TrimPrefix(w.Note, "keys ")
			}
			if w.Pin == 0 {
				text += " → " + cmp.Or(w.Line, w.Device)
				wide := chipWidth(text)
				d.chip(centre-wide/2, below, wide, colours[i%len(colours)], text)
				below += 34
				continue
			}
			x, y := pinPlace(w.Pin)
			side := 1
			if w.Pin%2 == 1 {
				side = -1
			}
			colour := colours[i%len(colours)]
			if isPower(w.Line) {
				colour = powerColours[w.Line]
			}
			if reach[w.Pin] == 0 {
				reach[w.Pin] = chips
				d.add(`<path d="M%d %d H%d" stroke="%s" stroke-width="4"/>`, x+side*13, y, centre+side*chips, colour)
				d.name(w.Pin, w.Line, colour, "#fff", colour)
			}
			wide := chipWidth(text)
			left := centre + reach[w.Pin]
			if side < 0 {
				left = centre - reach[w.Pin] - wide
			}
			d.chip(left, y, wide, colours[i%len(colours)], text)
			reach[w.Pin] += wide + 6
		}
	}
}

func chipWidth(text string) int { return 24 + len([]rune(text))*67/10 }

func (d *drawing) chip(x, y, wide int, colour, text string) {
	d.add(`<rect x="%d" y="%d" width="%d" height="24" rx="12" fill="%s"/>`, x, y-12, wide, colour)
	d.text(x+wide/2, y+4, 12, "#fff", "middle", "normal", text)
}
