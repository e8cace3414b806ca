package cardsim

import (
	"time"

	"smartkiosk/device/apdu"
)

// Line models the transmission time between reader and card. It does not
// include the computing time of the card.
type Line struct {
	Rate int // bits per second, which is 1/etu; 0 for no transmission time
}

// Durations in etu, the time of one bit (ISO 7816-3). A character is a start
// bit, eight data bits, a parity bit and a guard time of two bits (§7.2).
const (
	character = 12
	turnT0    = 16 - character // between characters in opposite directions (§10.2), in addition to a character
	turnT1    = 22 - character // block guard time (§11.4.3), in addition to a character
)

// DefaultRate is the rate of the answer to reset at the usual clock of 3.57 MHz
// (ISO 7816-3 §8.1: 372 clock cycles per etu).
const DefaultRate = 9600

// Reset returns the time of an answer to reset. It is always sent at
// DefaultRate.
func (l Line) Reset(atr []byte) time.Duration {
	if l.Rate == 0 {
		return 0
	}
	return etus(character*len(atr), DefaultRate)
}

// T0 returns the time of a command in the form of T=0 and its response:
//
//   - the header of five bytes, to the card;
//   - if there is data in either direction: a procedure byte, with which the
//     card requests or announces all data (§10.3.3, ACK = INS), and the data.
//     If the card refuses class, instruction or length, it does so after the
//     header, without the data;
//   - SW1 and SW2, from the card;
//   - a turnaround time for each change of direction, including the one before
//     the header.
func (l Line) T0(command, response []byte) time.Duration {
	if len(response) < 2 {
		return 0 // no answer; the reader's timeout is not part of the line
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

// informationField is the maximum data of a T=1 block in both directions
// (§11.4.2, IFSC and IFSD of 254, negotiated at the start).
const informationField = 254

// T1 returns the time of a command APDU and its response. Each is sent in
// blocks of up to 254 bytes with a prologue of three bytes and an epilogue of
// one (§11.3). All blocks but the last are acknowledged by a block of four bytes
// (§11.6.2.2). A block guard time precedes each block.
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

// SetLine adds transmission time to a card in a Slot or virtual reader. It calls
// wait with the time of each answer to reset and of each command with its
// response, before the response is returned. wait can be time.Sleep, which in a
// testing/synctest bubble returns at once, or a function that sums the times.
// The Card's own methods Transmit and PowerOn do not wait.
func (c *Card) SetLine(l Line, wait func(time.Duration)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line, c.wait = l, wait
}

// waitReset and waitAPDU call wait without a lock, so that the card can be
// removed meanwhile.
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
