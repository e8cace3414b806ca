package apdu

import (
	"context"
	"errors"
	"fmt"
)

// Limits of Exchange for one command, so that a broken or hostile card can
// neither block a visit for ever nor fill the memory.
const (
	MaxRounds   = 64      // APDUs sent for one command, including the command itself
	MaxReceived = 1 << 16 // bytes of response data for one command
)

// ErrEndless means that a card exceeded a limit such as MaxRounds or
// MaxReceived.
var ErrEndless = errors.New("card response exceeds the limit")

const insGetResponse = 0xC0

// Exchange sends one command and collects the whole response:
//
//   - After 6Cxx, "wrong Le", it sends the command again with the Le that the
//     card stated (ISO 7816-4 §5.6.4). It does so only for a command with Le.
//     A command without Le, above all VERIFY, is never sent twice.
//   - After 61xx, "more data", it sends GET RESPONSE (ISO 7816-4 §11.7.1). The
//     class is 00, which cards with proprietary classes expect too. If the
//     card answers 6E00, Exchange uses the class of the command from then on.
//
// The Response has the last status that arrived. Every status is a Response,
// not an error. Errors: those of the Transmitter, ErrMalformed, ErrEndless, and
// those of the context. Exchange wipes the encoded command before it returns.
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
		case wrong: // the data is still waiting, but its length differs
			r.SW = Status(0x6100) | Status(byte(le))
		case r.SW == CLAUnsupported && class != c.CLA:
			class = c.CLA
			r.SW = Status(0x6100) | Status(byte(n))
		default:
			data = append(data[:len(data):len(data)], r.Data...)
		}
	}
}

// send sends one command and returns its response.
func send(ctx context.Context, t Transmitter, c Command) (Response, error) {
	if err := ctx.Err(); err != nil {
		return Response{}, err
	}
	b, err := c.Bytes()
	if err != nil {
		return Response{}, err
	}
	defer clear(b) // b may contain a PIN
	answer, err := t.Transmit(ctx, b)
	if err != nil {
		return Response{}, err
	}
	return ParseResponse(answer)
}
