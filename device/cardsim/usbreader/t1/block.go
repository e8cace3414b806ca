// Package t1 is the card's side of transmission protocol T=1 (ISO 7816-3 §11): the
// blocks that carry command and response APDUs, and a card's answer to each
// block. It uses LRC, like cards that do not ask for CRC in their answer to reset.
package t1

import (
	"errors"
	"fmt"
)

// Limits of a block (§11.3).
const (
	MaxInformation = 254 // bytes of the information field
	overhead       = 4   // NAD, PCB, LEN and LRC
	MaxBlock       = overhead + MaxInformation
)

// Reasons why bytes are not a block. The receiver reports them differently in its
// R-block (§11.6.3.2).
var (
	ErrMalformed = errors.New("malformed block")
	ErrChecksum  = errors.New("block with a wrong LRC")
)

// Block is a block of T=1.
type Block struct {
	NAD         byte // node addresses: of the sender in bits 3 to 1, of the receiver in 7 to 5
	PCB         PCB
	Information []byte // at most MaxInformation bytes
}

// Parse decodes a block. Information aliases b. Errors: ErrMalformed,
// ErrChecksum.
func Parse(b []byte) (Block, error) {
	switch {
	case len(b) < overhead || len(b) > MaxBlock || int(b[2]) != len(b)-overhead:
		return Block{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	case lrc(b) != 0:
		return Block{}, ErrChecksum
	}
	block := Block{NAD: b[0], PCB: PCB(b[1]), Information: b[3 : len(b)-1]}
	if !block.PCB.valid(len(block.Information)) {
		return Block{}, fmt.Errorf("%w: PCB %02X with %d bytes", ErrMalformed, b[1], len(block.Information))
	}
	return block, nil
}

// Bytes encodes b.
func (b Block) Bytes() []byte {
	out := make([]byte, 0, overhead+len(b.Information))
	out = append(out, b.NAD, byte(b.PCB), byte(len(b.Information)))
	out = append(out, b.Information...)
	return append(out, lrc(out))
}

// lrc is the exclusive-or of all bytes (§11.3.4). It is 0 for a valid block.
func lrc(b []byte) (sum byte) {
	for _, x := range b {
		sum ^= x
	}
	return sum
}

// PCB is the protocol control byte, which holds a block's type (§11.3.2.2).
type PCB byte

// Supervisory requests. The response to a request has bit 0x20 set.
const (
	Resynch PCB = 0xC0
	IFS     PCB = 0xC1 // one byte: the size of the information field
	Abort   PCB = 0xC2
	WTX     PCB = 0xC3 // one byte: how many times the block waiting time

	response PCB = 0x20
)

// The error codes of R-blocks.
const (
	Received      byte = 0
	WrongChecksum byte = 1
	OtherError    byte = 2
)

// Information returns the PCB of an I-block: N(S), 0 or 1, and whether more of the
// chain follows.
func Information(sequence byte, more bool) PCB {
	p := PCB(sequence << 6)
	if more {
		p |= 0x20
	}
	return p
}

// Ready returns the PCB of an R-block: N(R), which is the number of the expected
// I-block, and Received or an error code.
func Ready(sequence, problem byte) PCB { return PCB(0x80 | sequence<<4 | problem) }

// Response returns the PCB that answers the supervisory request p.
func (p PCB) Response() PCB { return p | response }

func (p PCB) isInformation() bool { return p&0x80 == 0 }
func (p PCB) isReady() bool       { return p&0xC0 == 0x80 }

// sequence returns N(S) of an I-block or N(R) of an R-block.
func (p PCB) sequence() byte {
	if p.isInformation() {
		return byte(p >> 6 & 1)
	}
	return byte(p >> 4 & 1)
}

// more returns the M bit of an I-block.
func (p PCB) more() bool { return p&0x20 != 0 }

// valid reports whether a block of this type can have n bytes of information.
func (p PCB) valid(n int) bool {
	switch {
	case p.isInformation():
		return p&0x1F == 0
	case p.isReady():
		return p&0x2F <= PCB(OtherError) && n == 0
	}
	switch p &^ response {
	case IFS, WTX:
		return n == 1
	case Resynch, Abort:
		return n == 0
	}
	return false
}
