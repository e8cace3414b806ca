package apdu

import (
	"context"
	"errors"
	"fmt"
)

// Limits of what Exchange takes from a card for one command, so that a broken
// or hostile card cannot keep a visit for ever or fill the memory.
const (
	MaxRounds   = 64      // APDUs sent for one command, itself included
	MaxReceived = 1 << 16 // bytes of response data, gathered over all of them
)

// ErrEndless says that a card went beyond MaxRounds or MaxReceived.
var ErrEndless = errors.New("card does not come to an end")

const insGetResponse = 0xC0

// Exchange has a card carry out one command and gathers its whole response:
//
//   - 6Cxx, "wrong Le": the command is sent once more with the Le that the card
//     named (ISO 7816-4 §5.6.4). Only a command that asks for data is; one
//     without Le, VERIFY above all, is never sent twice.
//   - 61xx, "more data": fetched by GET RESPONSE (ISO 7816-4 §11.7.1), of class
//     00 whatever the class of the command, as that is what cards with
//     proprietary classes expect too; a card that answers 6E00 to it is asked
//     in the command's own class from then on.
//
// The Response's status is the last one that came: any status is a Response,
// not an error. Errors: the Transmitter's own, ErrMalformed, ErrEndless, the
// context's. What was sent is wiped before Exchange returns.
func Exchange(ctx context.Context, t Transmitter, c Command) (Response, error) {
	r, err := send(ctx, t, c)
	if err != nil {
		return Response{}, err
	}
	rounds := 1
	if le, ok := r.SW.RightLe(); ok && c.Le > 0 {
		c.Le = le
		if r, err = send(ctx, t, c); err != nil {
			return Response{}, err
		}
		rounds++
	}

	data := r.Data
	class := byte(0)
	for {
		n, more := r.SW.More()
		if !more {
			return Response{Data: data, SW: r.SW}, nil
		}
		if rounds >= MaxRounds || len(data) > MaxReceived {
			return Response{}, fmt.Errorf("%w: %d APDUs, %d bytes for one command", ErrEndless, rounds, len(data))
		}
		r, err = send(ctx, t, Command{CLA: class, INS: insGetResponse, Le: n})
		if err != nil {
			return Response{}, err
		}
		rounds++
		switch le, wrong := r.SW.RightLe(); {
		case wrong: // the same bytes are still waiting, only their number differs
			r.SW = Status(0x6100) | Status(byte(le))
		case r.SW == CLAUnsupported && class != c.CLA:
			class = c.CLA
			r.SW = Status(0x6100) | Status(byte(n))
		default:
			data = append(data[:len(data):len(data)], r.Data...)
		}
	}
}

// send carries one command there and its response back.
func send(ctx context.Context, t Transmitter, c Command) (Response, error) {
	if err := ctx.Err(); err != nil {
		return Response{}, err
	}
	b, err := c.Bytes()
	if err != nil {
		return Response{}, err
	}
	defer clear(b) // it may hold a PIN
	answer, err := t.Transmit(ctx, b)
	if err != nil {
		return Response{}, err
	}
	return ParseResponse(answer)
}
