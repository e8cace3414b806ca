package apdu

import "context"

// chained is the bit of CLA which says that the command continues in the next
// APDU (ISO 7816-4 §5.4.1, §5.3.3).
const chained = 0x10

// ExchangeChained is Exchange for a card that supports only the short form. It
// sends more than MaxShortData bytes of data by command chaining and requests
// at most MaxShortLe bytes at a time. If the card answers one of the first
// commands with a status other than 9000, that status is the response to the
// whole command; a card without command chaining answers SW 6884.
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
