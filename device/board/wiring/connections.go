package wiring

import (
	"smartkiosk/device/board"
)

// Connection is one wire and its destination.
type Connection struct {
	board.Wire
	Line string // the destination; "" for a destination that is not on the header
	Pin  int    // of the header, from 1; 0 if the wire does not go to the header
}

// Connections are the wires of one part.
type Connections struct {
	Part  board.Part
	Wires []Connection
}

// Of returns the wires of a board, part by part, in the order of the file. Each
// power wire gets the power pin that is close to the part's other pins and that
// few other wires use.
func Of(b *board.Board) []Connections {
	uses := map[int]int{} // power wires per pin
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

// pinOf returns the pin of a line; 0 for power, which has several pins, and for a
// line that is not on the header.
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

// shared is the cost of sharing a pin, as a distance in rows.
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
