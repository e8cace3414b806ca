package apdu

// T0 gives a short command APDU as transmission protocol T=0 carries it. There
// a command either sends data or asks for some: of one that does both the Le
// is left off, and the card says by 61xx what waits (ISO 7816-3 §12.2.1, case
// 4S). All others are carried as they are. What it gives aliases command.
func T0(command []byte) []byte {
	if len(command) > 5 && command[4] != 0 && len(command) == 4+1+int(command[4])+1 {
		return command[:len(command)-1]
	}
	return command
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
