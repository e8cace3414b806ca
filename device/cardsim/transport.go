package cardsim

import "smartkiosk/device/apdu"

// Transmit takes one command and gives the response with its status bytes. A
// card without power gives nil: no answer at all.
//
// A card of T=0 takes a command as that protocol carries it (ISO 7816-3
// §10.3.2: CLA INS P1 P2 P3, then P3 bytes when the command has data; P3 may
// be left out when it is 0); data that answers a command with data waits for
// GET RESPONSE, as 61xx says. A card of T=1 takes a whole command APDU, short
// or extended, and answers with as much data as it was asked for.
func (c *Card) Transmit(command []byte) (response []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.powered {
		return nil
	}
	switch evil, instead := c.answerEvil(command); {
	case instead:
		return evil.Bytes()
	case c.layout.t1:
		return c.answerT1(command).Bytes()
	}
	return c.answerT0(command).Bytes()
}

// instruction is what the card does on one INS. Exactly one of take and give
// is set, for in T=0 data flows one way.
type instruction struct {
	take  func(*Card, apdu.Command) ([]byte, apdu.Status) // the reader sends; the data given waits
	give  func(*Card, apdu.Command) ([]byte, apdu.Status) // the card sends, out of all that is given
	onPIN bool                                            // the kind's pinCLA is accepted, too
	chain bool                                            // may come in pieces, where the kind has chaining
}

const (
	insSelect      = 0xA4
	insGetResponse = 0xC0
)

var instructions = map[byte]instruction{
	0x20:           {take: (*Card).verify, onPIN: true},
	0x22:           {take: (*Card).manageSecurityEnvironment},
	0x24:           {take: (*Card).changeReferenceData, onPIN: true},
	0x2A:           {take: (*Card).performSecurityOperation, chain: true},
	0x2C:           {take: (*Card).resetRetryCounter, onPIN: true},
	0x88:           {take: (*Card).internalAuthenticate, chain: true},
	insSelect:      {take: (*Card).selectFile},
	0xB0:           {give: (*Card).readBinary},
	insGetResponse: {give: (*Card).getResponse},
}

// claMore is the bit of CLA that says that the command goes on in the next
// (ISO 7816-4 §5.3.3).
const claMore = 0x10

// find gives what the card does on a command, or the status that refuses it.
func (c *Card) find(cmd apdu.Command) (instruction, apdu.Status) {
	do, ok := instructions[cmd.INS]
	switch {
	case !ok, c.outside && cmd.INS != insSelect && cmd.INS != insGetResponse:
		return do, apdu.INSUnsupported
	case cmd.CLA == 0,
		do.onPIN && cmd.CLA == c.layout.pinCLA,
		do.chain && cmd.CLA == claMore && c.layout.chaining:
		return do, apdu.OK
	}
	return do, apdu.CLAUnsupported
}

func (c *Card) answerT0(b []byte) apdu.Response {
	if len(b) < 4 {
		return apdu.Response{SW: apdu.WrongLength}
	}
	if len(b) == 4 {
		b = append(b[:4:4], 0)
	}
	cmd := apdu.Command{CLA: b[0], INS: b[1], P1: b[2], P2: b[3], Data: b[5:]}
	p3 := int(b[4])
	do, sw := c.find(cmd)
	switch {
	case sw != apdu.OK:
		return apdu.Response{SW: sw}
	case do.take != nil:
		if len(cmd.Data) != p3 {
			c.waiting = nil
			return apdu.Response{SW: apdu.WrongLength}
		}
		if sw := c.take(do, cmd); sw != apdu.OK {
			return apdu.Response{SW: sw}
		}
		return apdu.Response{SW: c.more()}
	case len(cmd.Data) != 0:
		return apdu.Response{SW: apdu.WrongLength}
	}
	if cmd.Le = p3; p3 == 0 {
		cmd.Le = apdu.MaxShortLe
	}
	data, sw := c.give(do, cmd)
	switch {
	case sw != apdu.OK:
		return apdu.Response{SW: sw}
	case len(data) < cmd.Le:
		return apdu.Response{SW: 0x6C00 | apdu.Status(len(data))}
	}
	if cmd.INS == insGetResponse {
		c.waiting = data[cmd.Le:]
	}
	return apdu.Response{Data: data[:cmd.Le], SW: c.more()}
}

// answerT1 answers a command APDU. Fewer bytes than asked for are an answer
// like any other where all were asked for, and end of file where not.
func (c *Card) answerT1(b []byte) apdu.Response {
	cmd, err := apdu.Parse(b)
	if err != nil {
		return apdu.Response{SW: apdu.WrongLength}
	}
	do, sw := c.find(cmd)
	switch {
	case sw != apdu.OK:
		return apdu.Response{SW: sw}
	case do.take != nil:
		if sw := c.take(do, cmd); sw != apdu.OK {
			return apdu.Response{SW: sw}
		}
		n := min(cmd.Le, len(c.waiting))
		var data []byte
		data, c.waiting = c.waiting[:n], c.waiting[n:]
		return apdu.Response{Data: data, SW: c.more()}
	case len(cmd.Data) != 0 || cmd.Le == 0:
		return apdu.Response{SW: apdu.WrongLength}
	}
	data, sw := c.give(do, cmd)
	if sw != apdu.OK {
		return apdu.Response{SW: sw}
	}
	n := min(cmd.Le, len(data))
	if cmd.INS == insGetResponse {
		c.waiting = data[n:]
	}
	if all := cmd.Le == apdu.MaxShortLe || cmd.Le == apdu.MaxExtendedLe; n < cmd.Le && !all {
		return apdu.Response{Data: data[:n], SW: apdu.EndOfFile}
	}
	return apdu.Response{Data: data[:n], SW: c.more()}
}

// maxChain bounds what a chain may bring: a block of the longest key.
const maxChain = 512

// take carries out a command with data, the last of a chain or the only one;
// the pieces before the last are put by. A chain that is broken off is
// forgotten (ISO 7816-4 §5.3.3).
func (c *Card) take(do instruction, cmd apdu.Command) apdu.Status {
	c.waiting = nil
	if before := c.chain; before != nil {
		c.chain = nil
		if before.INS == cmd.INS && before.P1 == cmd.P1 && before.P2 == cmd.P2 {
			cmd.Data = append(before.Data, cmd.Data...)
		}
	}
	if len(cmd.Data) > maxChain {
		return apdu.WrongLength
	}
	if cmd.CLA == claMore {
		cmd.Data = append([]byte(nil), cmd.Data...)
		c.chain = &cmd
		return apdu.OK
	}
	data, sw := do.take(c, cmd)
	if sw == apdu.OK {
		c.waiting = data
	}
	return sw
}

func (c *Card) give(do instruction, cmd apdu.Command) ([]byte, apdu.Status) {
	c.chain = nil
	if cmd.INS != insGetResponse {
		c.waiting = nil
	}
	return do.give(c, cmd)
}

// more is 61xx when bytes wait, 9000 when none do (ISO 7816-4 §5.6.4).
func (c *Card) more() apdu.Status {
	switch n := len(c.waiting); {
	case n == 0:
		return apdu.OK
	case n >= apdu.MaxShortLe:
		return 0x6100
	default:
		return 0x6100 | apdu.Status(n)
	}
}

// getResponse is GET RESPONSE (ISO 7816-4 §11.7.1).
func (c *Card) getResponse(cmd apdu.Command) ([]byte, apdu.Status) {
	switch {
	case cmd.P1 != 0 || cmd.P2 != 0:
		return nil, apdu.WrongP1P2
	case len(c.waiting) == 0:
		return nil, apdu.ConditionsNotSatisfied
	}
	return c.waiting, apdu.OK
}
