package apdu

import "context"

// chained is the bit of CLA that says that more of a command follows (ISO
// 7816-4 §5.4.1, §5.3.3).
const chained = 0x10

// ExchangeChained is Exchange for a card that takes the short form only: data
// beyond MaxShortData bytes goes in several commands, each but the last full
// and marked as followed by another, and at most MaxShortLe bytes are asked
// for at a time. A status other than 9000 in the middle is the answer to the
// whole, SW 6884 for a card that knows no chaining.
func ExchangeChained(ctx context.Context, t Transmitter, c Command) (Response, error) {
	c.Le = min(c.Le, MaxShortLe)
	for rounds := 1; len(c.Data) > MaxShortData; rounds++ {
		if rounds > MaxRounds {
			return Response{}, ErrEndless
		}
		part := Command{CLA: c.CLA | chained, INS: c.INS, P1: c.P1, P2: c.P2, Data: c.Data[:MaxShortData]}
		r, err := send(ctx, t, part)
		if err != nil || r.SW != OK {
			return Response{SW: r.SW}, err
		}
		c.Data = c.Data[MaxShortData:]
	}
	return Exchange(ctx, t, c)
}
