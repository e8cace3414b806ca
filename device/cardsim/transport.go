package cardsim

import "smartkiosk/device/apdu"

// Transmit processes one command and returns the response with its status
// bytes. A card without power returns nil: it does not answer.
//
// A card of T=0 receives a command in the form of that protocol (ISO 7816-3
// §10.3.2): CLA INS P1 P2 P3, then P3 bytes if the command has data. P3 may be
// missing when it is 0. If a command with data has response data, the card
// announces it with 61xx and keeps it for GET RESPONSE. A card of T=1 receives
// a whole command APDU, short or extended, and returns as much data as was
// requested.
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

// instruction is the implementation of one INS. Exactly one of receive and send
// is set, because in T=0 data flows in one direction.
type instruction struct {
	receive func(*Card, apdu.Command) ([]byte, apdu.Status) // the reader sends data; response data waits for GET RESPONSE
	send    func(*Card, apdu.Command) ([]byte, apdu.Status) // the card sends data; returns everything that is available
	onPIN   bool                                            // accepted in the kind's pinCLA
	signs   bool                                            // accepted in the kind's signCLA only
	chain   bool                                            // may be chained, if the kind supports chaining
}

const (
	insSelect      = 0xA4
	insGetResponse = 0xC0
)

var instructions = map[byte]instruction{
	0x20:           {receive: (*Card).verify, onPIN: true},
	0x22:           {receive: (*Card).manageSecurityEnvironment, signs: true},
	0x24:           {receive: (*Card).changeReferenceData, onPIN: true},
	0x2A:           {receive: (*Card).performSecurityOperation, chain: true, signs: true},
	0x2C:           {receive: (*Card).resetRetryCounter, onPIN: true},
	0x88:           {receive: (*Card).internalAuthenticate, chain: true, signs: true},
	insSelect:      {receive: (*Card).selectFile},
	0xB0:           {send: (*Card).readBinary},
	insGetResponse: {send: (*Card).getResponse},
}

// claMore is the bit of CLA which says that the command continues in the next
// APDU (ISO 7816-4 §5.3.3).
const claMore = 0x10

// find returns the implementation of a command, or the status that refuses it.
func (c *Card) find(cmd apdu.Command) (instruction, apdu.Status) {
	known := instructions
	if c.layout.instructions != nil {
		known = c.layout.instructions
	}
	do, ok := known[cmd.INS]
	if c.layout.hashFirst && cmd.INS == 0x2A && cmd.P1 == 0x9E && len(cmd.Data) == 0 {
		do = instruction{send: (*Card).signHash, signs: true}
	}
	switch {
	case !ok, c.outside && cmd.INS != insSelect && cmd.INS != insGetResponse:
		return do, apdu.INSUnsupported
	case c.layout.accepts(do, cmd.CLA):
		return do, apdu.OK
	}
	return do, apdu.CLAUnsupported
}

// accepts reports whether the kind knows an instruction in a class.
func (l *layout) accepts(do instruction, cla byte) bool {
	if do.chain && l.chaining {
		cla &^= claMore
	}
	switch {
	case do.signs:
		return cla == l.signCLA
	case do.onPIN && l.onlyPINCLA:
		return cla == l.pinCLA
	case do.onPIN:
		return cla == 0 || cla == l.pinCLA
	}
	return cla == 0
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
	case do.receive != nil:
		if len(cmd.Data) != p3 {
			c.waiting = nil
			return apdu.Response{SW: apdu.WrongLength}
		}
		if sw := c.receive(do, cmd); sw != apdu.OK {
			return apdu.Response{SW: sw}
		}
		return apdu.Response{SW: c.more()}
	case len(cmd.Data) != 0:
		return apdu.Response{SW: apdu.WrongLength}
	}
	if cmd.Le = p3; p3 == 0 {
		cmd.Le = apdu.MaxShortLe
	}
	data, sw := c.send(do, cmd)
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

// answerT1 answers a command APDU. If the command requests a number of bytes
// and the card has fewer, the status is "end of file". If it requests all
// bytes, the status is 9000.
func (c *Card) answerT1(b []byte) apdu.Response {
	cmd, err := apdu.Parse(b)
	if err != nil {
		return apdu.Response{SW: apdu.WrongLength}
	}
	do, sw := c.find(cmd)
	switch {
	case sw != apdu.OK:
		return apdu.Response{SW: sw}
	case do.receive != nil:
		if sw := c.receive(do, cmd); sw != apdu.OK {
			return apdu.Response{SW: sw}
		}
		n := min(cmd.Le, len(c.waiting))
		var data []byte
		data, c.waiting = c.waiting[:n], c.waiting[n:]
		return apdu.Response{Data: data, SW: c.more()}
	case len(cmd.Data) != 0 || cmd.Le == 0:
		return apdu.Response{SW: apdu.WrongLength}
	}
	data, sw := c.send(do, cmd)
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

// maxChain is the maximum length of chained data: a block of the longest key.
const maxChain = 512

// receive carries out a command with data. It collects the data of a chain and
// carries out the last command of it. An interrupted chain is discarded (ISO
// 7816-4 §5.3.3).
func (c *Card) receive(do instruction, cmd apdu.Command) apdu.Status {
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
	if do.chain && cmd.CLA&claMore != 0 {
		cmd.Data = append([]byte(nil), cmd.Data...)
		c.chain = &cmd
		return apdu.OK
	}
	data, sw := do.receive(c, cmd)
	if sw == apdu.OK {
		c.waiting = data
	}
	return sw
}

func (c *Card) send(do instruction, cmd apdu.Command) ([]byte, apdu.Status) {
	c.chain = nil
	if cmd.INS != insGetResponse {
		c.waiting = nil
	}
	return do.send(c, cmd)
}

// more returns 61xx when response data is waiting, otherwise 9000 (ISO 7816-4
// §5.6.4).
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
