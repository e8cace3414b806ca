package t1

import "errors"

// DefaultInformation is the initial number of bytes of information that either
// side accepts (§11.4.2).
const DefaultInformation = 32

// maxCommand bounds the data of a chain of blocks: an extended command APDU
// (§12.1.3).
const maxCommand = 4 + 3 + 65535 + 2

// Card is the card's side of the line. It answers each block with one block.
type Card struct {
	apdu func(command []byte) (response []byte)
	ifsc int // the most information that the card accepts in a block, in bytes
	ifsd int // the most that the reader accepts

	expected byte   // N(S) of the next I-block from the reader
	sending  byte   // N(S) of the next I-block to it
	command  []byte // the part of a command that has arrived
	response []byte // the part of the response that is still to be sent
	chaining bool   // the last block sent was an I-block with more to follow
	last     []byte // the last block sent
	answered []byte // the last I-block sent

	extension byte   // the WTX to ask for before the next command
	waiting   []byte // the command that waits until the reader grants the WTX
}

// NewCard returns the card's side for a card that answers command APDUs with apdu
// and accepts up to ifsc bytes in a block (see InformationField).
func NewCard(ifsc int, apdu func(command []byte) (response []byte)) *Card {
	return &Card{apdu: apdu, ifsc: ifsc, ifsd: DefaultInformation}
}

// AskTime makes the card ask for a multiple of the block waiting time, 1 to 255,
// before it carries out the next command (§11.4.3, §11.6.2.3 rule 3).
func (c *Card) AskTime(times byte) { c.extension = times }

// Exchange returns the card's answer to a block. It returns nil if the card does
// not answer: to an invalid block before its first answer, to more data than a
// command can have, and when apdu returns nothing.
func (c *Card) Exchange(b []byte) []byte {
	block, err := Parse(b)
	switch {
	case errors.Is(err, ErrChecksum):
		return c.complain(WrongChecksum)
	case err != nil:
		return c.complain(OtherError)
	}
	back := block.NAD<<4 | block.NAD>>4
	switch {
	case block.PCB.isInformation():
		return c.take(back, block)
	case block.PCB.isReady():
		return c.goOn(back, block.PCB.sequence())
	}
	return c.supervise(back, block)
}

// complain asks the reader to repeat the last block (rule 7.1).
func (c *Card) complain(problem byte) []byte {
	return c.say(Block{PCB: Ready(c.expected, problem)})
}

// take handles an I-block: a part of a command, or its end.
func (c *Card) take(nad byte, block Block) []byte {
	if block.PCB.sequence() != c.expected || c.chaining || len(block.Information) > c.ifsc {
		return c.complain(OtherError)
	}
	if len(c.command)+len(block.Information) > maxCommand {
		return nil
	}
	c.waiting = nil
	c.command = append(c.command, block.Information...)
	c.expected ^= 1
	if block.PCB.more() {
		return c.say(Block{NAD: nad, PCB: Ready(c.expected, Received)})
	}
	command := c.command
	c.command = nil
	if times := c.extension; times != 0 {
		c.extension, c.waiting = 0, command
		return c.say(Block{NAD: nad, PCB: WTX, Information: []byte{times}})
	}
	return c.carryOut(nad, command)
}

func (c *Card) carryOut(nad byte, command []byte) []byte {
	c.response = c.apdu(command)
	clear(command) // it may hold a PIN
	if c.response == nil {
		c.last, c.answered = nil, nil
		return nil
	}
	return c.sendNext(nad)
}

// sendNext sends the next part of the response (rule 5).
func (c *Card) sendNext(nad byte) []byte {
	n := min(c.ifsd, len(c.response))
	var piece []byte
	piece, c.response = c.response[:n], c.response[n:]
	c.chaining = len(c.response) > 0
	pcb := Information(c.sending, c.chaining)
	c.sending ^= 1
	c.answered = c.say(Block{NAD: nad, PCB: pcb, Information: piece})
	return c.answered
}

// goOn answers an R-block: the reader asks for the next part of a chain (rule 5)
// or for a repetition (rule 7).
func (c *Card) goOn(nad, wanted byte) []byte {
	switch {
	case wanted != c.sending && c.answered != nil:
		return c.answered
	case c.chaining:
		return c.sendNext(nad)
	}
	return c.last
}

// supervise answers an S-block.
func (c *Card) supervise(nad byte, block Block) []byte {
	switch block.PCB {
	case IFS:
		if n := block.Information[0]; n == 0 || n > MaxInformation {
			return c.complain(OtherError)
		}
		c.ifsd = int(block.Information[0])
	case Abort:
		c.command, c.response, c.chaining, c.waiting = nil, nil, false, nil
	case Resynch:
		*c = *NewCard(c.ifsc, c.apdu) // as after the answer to reset
	case WTX.Response():
		if command := c.waiting; command != nil {
			c.waiting = nil
			return c.carryOut(nad, command)
		}
		return c.complain(OtherError)
	default:
		return c.complain(OtherError)
	}
	return c.say(Block{NAD: nad, PCB: block.PCB.Response(), Information: block.Information})
}

// say sends a block and keeps it in case the reader asks for a repetition.
func (c *Card) say(b Block) []byte {
	c.last = b.Bytes()
	return c.last
}
