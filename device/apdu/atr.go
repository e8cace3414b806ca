package apdu

import (
	"fmt"
	"slices"
)

// ATR is the part of an answer to reset (ISO 7816-3 §8) that matters above the
// electrical level.
type ATR struct {
	Protocols  []int  // transmission protocols in the card's order: 0, 1, …; without 15, which is not a protocol
	Historical []byte // historical bytes, at most 15 (ISO 7816-4 §12.1.1)
	// The highest speed that the card offers: F clock cycles for D bits (TA1,
	// ISO 7816-3 §8.3). The default is 372 and 1, also for reserved values.
	F, D int
	// Card capabilities, if the historical bytes have them in COMPACT-TLV (ISO
	// 7816-4 §12.1.1.9, third software function table).
	HasCapabilities bool // whether the historical bytes have them
	Chaining        bool // the card supports command chaining
	Extended        bool // the card supports extended Lc and Le
}

// ParseATR decodes an answer to reset. Historical aliases b. ParseATR does not
// verify the check byte TCK, because the reader does. Error: ErrMalformed.
func ParseATR(b []byte) (ATR, error) {
	bad := func() (ATR, error) {
		return ATR{}, fmt.Errorf("%w: answer to reset of %d bytes", ErrMalformed, len(b))
	}
	if len(b) < 2 || len(b) > 33 {
		return bad()
	}
	a := ATR{F: 372, D: 1}
	const interfaceBytes = 3 // TA, TB, TC before each TD
	historical := int(b[1] & 0x0F)
	i := 1
	for {
		y := b[i] >> 4 // which of TA, TB, TC and TD follow T0 or TD
		if t := int(b[i] & 0x0F); i > 1 && t != 15 && !slices.Contains(a.Protocols, t) {
			a.Protocols = append(a.Protocols, t)
		}
		if i == 1 && y&1 != 0 && len(b) > 2 {
			a.readSpeed(b[2])
		}
		i++
		for bit := range interfaceBytes {
			i += int(y >> bit & 1)
		}
		if y>>interfaceBytes&1 == 0 {
			break
		}
		if i >= len(b) {
			return bad()
		}
	}
	if len(a.Protocols) == 0 {
		a.Protocols = []int{0} // without TD1 (ISO 7816-3 §8.2.3)
	}
	if i+historical > len(b) {
		return bad()
	}
	a.Historical = b[i : i+historical]
	a.readCapabilities()
	return a, nil
}

// Table 7 and table 8 of ISO 7816-3; 0 means reserved.
var (
	clockRates = [16]int{372, 372, 558, 744, 1116, 1488, 1860, 0, 0, 512, 768, 1024, 1536, 2048, 0, 0}
	bitRates   = [16]int{0, 1, 2, 4, 8, 16, 32, 64, 12, 20, 0, 0, 0, 0, 0, 0}
)

func (a *ATR) readSpeed(ta1 byte) {
	if f, d := clockRates[ta1>>4], bitRates[ta1&0x0F]; f != 0 && d != 0 {
		a.F, a.D = f, d
	}
}

// OffersT1 reports whether the card offers transmission protocol T=1.
func (a ATR) OffersT1() bool { return slices.Contains(a.Protocols, 1) }

// readCapabilities decodes the COMPACT-TLV object 7x of three bytes that follows
// a category indicator of 00 or 80 (ISO 7816-4 §12.1.1.1).
func (a *ATR) readCapabilities() {
	h := a.Historical
	if len(h) == 0 || h[0] != 0x00 && h[0] != 0x80 {
		return
	}
	if h[0] == 0x00 { // the last three bytes are status bytes
		h = h[:max(1, len(h)-3)]
	}
	for h = h[1:]; len(h) > 0; {
		tag, n := h[0]>>4, int(h[0]&0x0F)
		if n >= len(h) {
			return
		}
		if tag == 7 && n == 3 {
			a.HasCapabilities, a.Chaining, a.Extended = true, h[3]&0x80 != 0, h[3]&0x40 != 0
			return
		}
		h = h[1+n:]
	}
}
