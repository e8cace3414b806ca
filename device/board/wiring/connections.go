package wiring

import (
	"smartkiosk/device/board"
)

// Connection is one wire, with the place that it goes to.
type Connection struct {
	board.Wire
	Line string // what it goes to in the end; "" for something beside the header
	Pin  int    // of the header, from 1; 0 for none
}

// Connections are the wires of one part.
type Connections struct {
	Part  board.Part
	Wires []Connection
}

// Of gives the wires of a board, part by part, in the order of the file. Each
// wire for power is given the pin that is nearest to the part's others, and
// least used.
func Of(b *board.Board) []Connections {
	uses := map[int]int{} // of a pin for power
	var all []Connections
	for _, p := range b.Parts() {
		c := Connections{Part: p}
		near := 0
		for _, w := range p.Wires() {
			line := w.LineOn(b.Pi)
			pin := pinOf(b.Pi, line)
			if near == 0 {
				near = pin
			}
			c.Wires = append(c.Wires, Connection{w, line, pin})
		}
		for i, w := range c.Wires {
			if isPower(w.Line) && b.Pi != "" {
				c.Wires[i].Pin = powerPin(w.Line, near, uses)
			}
		}
		all = append(all, c)
	}
	return all
}

// pinOf is the pin of a line, 0 for what is at several or at none.
func pinOf(pi board.Pi, line string) int {
	if pi == "" || isPower(line) {
		return 0
	}
	for i, at := range board.Header {
		if at == line {
			return i + 1
		}
	}
	return 0
}

func isPower(line string) bool {
	return line == board.Ground || line == board.Volts3V3 || line == board.Volts5
}

// shared is how far, in rows, it is better to go than to share a pin.
const shared = 6

func powerPin(kind string, near int, uses map[int]int) int {
	best, least := 0, 0
	for i, at := range board.Header {
		if at != kind {
			continue
		}
		rows := i/2 - (near-1)/2
		if cost := max(rows, -rows) + shared*uses[i+1]; best == 0 || cost < least {
			best, least = i+1, cost
		}
	}
	uses[best]++
	return best
}
