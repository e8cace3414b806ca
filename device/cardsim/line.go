package cardsim

import (
	"time"

	"smartkiosk/device/apdu"
)

// Line is the contact by which reader and card exchange bytes, one bit after
// the other, or none. It has the time that the bytes take and no other: cards
// compute on top of it.
type Line struct {
	Rate int // bits per second, which is 1/etu; 0 for a line that takes no time
}

// Durations in etu, the time of one bit (ISO 7816-3). A character is a start
// bit, eight of data and parity, and a pause of two (§7.2, guard time without
// an extra one).
const (
	character = 12
	turnT0    = 16 - character // between characters in opposite directions (§10.2), beyond a character's own
	turnT1    = 22 - character // block guard time (§11.4.3), likewise
)

// DefaultRate is that of the answer to reset, at the clock of 3.57 MHz that
// readers give (ISO 7816-3 §8.1: 372 clocks to the etu).
const DefaultRate = 9600

// Reset gives the time that an answer to reset takes, at DefaultRate whatever
// the line's rate.
func (l Line) Reset(atr []byte) time.Duration {
	if l.Rate == 0 {
		return 0
	}
	return etus(character*len(atr), DefaultRate)
}

// T0 gives the time that a command, as T=0 carries it, and its response take:
//
//   - the header of five bytes, to the card;
//   - when data follows it, either way: a procedure byte, by which the card
//     asks for all of the data or announces it (§10.3.3, ACK = INS), and the
//     data. A card that knows neither class nor instruction, or finds the
//     length wrong, refuses by the header alone;
//   - SW1 and SW2, from the card;
//   - and a turn of direction wherever the other side goes on, which it does
//     before the header, too.
func (l Line) T0(command, response []byte) time.Duration {
	if len(response) < 2 {
		return 0 // no answer: the reader's time-out is not the line's
	}
	r, _ := apdu.ParseResponse(response)
	characters, turns := 5+2, 2
	switch refused := r.SW == apdu.CLAUnsupported || r.SW == apdu.INSUnsupported || r.SW == apdu.WrongLength; {
	case len(command) > 5 && !refused:
		characters += 1 + len(command) - 5
		turns += 2
	case len(r.Data) > 0:
		characters += 1 + len(r.Data)
	}
	return l.takes(characters*character + turns*turnT0)
}

// informationField is the most that a block of T=1 carries, either way (§11.4.2,
// IFSC and IFSD of 254, which readers and cards agree on at the start).
const informationField = 254

// T1 gives the time that a command APDU and its response take: each in blocks
// of up to 254 bytes with three before and one behind (§11.3), all but the
// last acknowledged by a block of four (§11.6.2.2), with the block guard time
// before each block.
func (l Line) T1(command, response []byte) time.Duration {
	if len(response) < 2 {
		return 0
	}
	const frame = 3 + 1
	etu := 0
	for _, b := range [][]byte{command, response} {
		blocks := max(1, (len(b)+informationField-1)/informationField)
		acknowledged := blocks - 1
		etu += character*(len(b)+frame*(blocks+acknowledged)) + turnT1*(blocks+acknowledged)
	}
	return l.takes(etu)
}

func (l Line) takes(etu int) time.Duration {
	if l.Rate == 0 {
		return 0
	}
	return etus(etu, l.Rate)
}

func etus(n, rate int) time.Duration { return time.Duration(n) * time.Second / time.Duration(rate) }

// SetLine has the card answer over a line, in a Slot and in a virtual reader:
// wait is called with the time of each answer to reset and of each command and
// its response, before the response is given. It may be time.Sleep, which in a
// testing/synctest bubble passes at once, or add the times up. Transmit and
// PowerOn by themselves stay immediate.
func (c *Card) SetLine(l Line, wait func(time.Duration)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line, c.wait = l, wait
}

// waitReset and waitAPDU spend the line's time, with no lock held, so that the
// card can be pulled meanwhile.
func (c *Card) waitReset(atr []byte) {
	if line, wait := c.onLine(); wait != nil {
		wait(line.Reset(atr))
	}
}

func (c *Card) waitAPDU(command, response []byte) {
	line, wait := c.onLine()
	switch {
	case wait == nil:
	case c.layout.t1:
		wait(line.T1(command, response))
	default:
		wait(line.T0(command, response))
	}
}

func (c *Card) onLine() (Line, func(time.Duration)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.line, c.wait
}
