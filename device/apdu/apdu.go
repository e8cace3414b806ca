// Package apdu encodes and decodes the command and response pairs of smart
// cards (ISO/IEC 7816-3 §12.1, 7816-4 §5). The package does no I/O of its own;
// a Transmitter does it.
package apdu

import (
	"context"
	"errors"
	"fmt"
)

// Limits of a command or response (ISO 7816-3 §12.1.3).
const (
	MaxShortData    = 255   // bytes of command data with a one-byte Lc
	MaxShortLe      = 256   // bytes requested with a one-byte Le, encoded as 00
	MaxExtendedData = 65535 // bytes of command data with a three-byte Lc
	MaxExtendedLe   = 65536 // bytes requested with an extended Le, encoded as 00 00
)

// Transmitter sends one command to a card and returns the response, including
// the status bytes. It sends nothing else: no GET RESPONSE, no retry. An error
// means that no complete response arrived.
type Transmitter interface {
	Transmit(ctx context.Context, command []byte) (response []byte, err error)
}

// Command is a command APDU.
type Command struct {
	CLA, INS, P1, P2 byte
	Data             []byte // Nc bytes, at most MaxExtendedData
	Le               int    // Ne: bytes requested, 0 for none, at most MaxExtendedLe
}

// ErrMalformed means that bytes are not a valid command, response or answer to
// reset.
var ErrMalformed = errors.New("malformed APDU")

// Bytes encodes c, in the short form if it fits, otherwise in the extended form
// (ISO 7816-3 §12.1.3).
func (c Command) Bytes() ([]byte, error) {
	if len(c.Data) > MaxExtendedData || c.Le < 0 || c.Le > MaxExtendedLe {
		return nil, fmt.Errorf("%w: Nc %d, Ne %d", ErrMalformed, len(c.Data), c.Le)
	}
	b := make([]byte, 0, 4+3+len(c.Data)+2)
	b = append(b, c.CLA, c.INS, c.P1, c.P2)
	extended := len(c.Data) > MaxShortData || c.Le > MaxShortLe
	if !extended {
		if len(c.Data) > 0 {
			b = append(b, byte(len(c.Data)))
			b = append(b, c.Data...)
		}
		if c.Le > 0 {
			b = append(b, byte(c.Le))
		}
		return b, nil
	}
	b = append(b, 0)
	if len(c.Data) > 0 {
		b = append(b, byte(len(c.Data)>>8), byte(len(c.Data)))
		b = append(b, c.Data...)
	}
	if c.Le > 0 {
		b = append(b, byte(c.Le>>8), byte(c.Le))
	}
	return b, nil
}

// Parse decodes a command APDU, short or extended. Data aliases b.
func Parse(b []byte) (Command, error) {
	bad := func() (Command, error) {
		return Command{}, fmt.Errorf("%w: command of %d bytes", ErrMalformed, len(b))
	}
	if len(b) < 4 {
		return bad()
	}
	c := Command{CLA: b[0], INS: b[1], P1: b[2], P2: b[3]}
	switch body := b[4:]; {
	case len(body) == 0:
		return c, nil
	case len(body) == 1:
		c.Le = shortLe(body[0])
		return c, nil
	case body[0] != 0:
		n := int(body[0])
		switch len(body) {
		case 1 + n:
		case 2 + n:
			c.Le = shortLe(body[1+n])
		default:
			return bad()
		}
		c.Data = body[1 : 1+n]
		return c, nil
	case len(body) == 3:
		c.Le = extendedLe(body[1], body[2])
		return c, nil
	case len(body) < 4:
		return bad()
	default:
		n := int(body[1])<<8 | int(body[2])
		switch {
		case n == 0:
			return bad()
		case len(body) == 3+n:
		case len(body) == 5+n:
			c.Le = extendedLe(body[3+n], body[4+n])
		default:
			return bad()
		}
		c.Data = body[3 : 3+n]
		return c, nil
	}
}

func shortLe(b byte) int {
	if b == 0 {
		return MaxShortLe
	}
	return int(b)
}

func extendedLe(hi, lo byte) int {
	if hi == 0 && lo == 0 {
		return MaxExtendedLe
	}
	return int(hi)<<8 | int(lo)
}

// Response is a response APDU.
type Response struct {
	Data []byte
	SW   Status
}

// ParseResponse splits a response into data and status. Data aliases b.
func ParseResponse(b []byte) (Response, error) {
	if len(b) < 2 {
		return Response{}, fmt.Errorf("%w: response of %d bytes", ErrMalformed, len(b))
	}
	n := len(b) - 2
	return Response{Data: b[:n], SW: Status(b[n])<<8 | Status(b[n+1])}, nil
}

// Bytes encodes r: its data, then SW1 and SW2.
func (r Response) Bytes() []byte {
	b := make([]byte, 0, len(r.Data)+2)
	b = append(b, r.Data...)
	return append(b, byte(r.SW>>8), byte(r.SW))
}
