package apdu

import "context"

// T0 carries short APDUs over transmission protocol T=0, where a command
// either sends data or asks for some: of one that does both the Le is left
// off, and the card says by 61xx what waits (ISO 7816-3 §12.2.1, case 4S).
// What needs no change passes unchanged.
type T0 struct{ Transmitter }

// Transmit implements Transmitter.
func (t T0) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if len(command) > 5 && command[4] != 0 && len(command) == 4+1+int(command[4])+1 {
		command = command[:len(command)-1]
	}
	return t.Transmitter.Transmit(ctx, command)
}

// OffersT1 tells whether a card's answer to reset offers protocol T=1. One
// that does not, or is malformed, speaks T=0 (ISO 7816-3 §8.2.3, §8.2.5).
func OffersT1(atr []byte) bool {
	const interfaceBytes = 3 // TA, TB, TC before each TD
	for i := 1; i < len(atr); {
		y := atr[i] >> 4 // which of TA, TB, TC and TD follow T0 or TD
		if i > 1 && atr[i]&0x0F == 1 {
			return true
		}
		if y&0x08 == 0 {
			return false
		}
		for b := range interfaceBytes + 1 {
			i += int(y >> b & 1)
		}
	}
	return false
}
