package t1

// InformationField returns how many bytes of information a card accepts in a
// block, from its answer to reset. IFSC is in the first TA after a TD that names
// T=1, from TD2 on (§11.4.2). If it is missing or the answer is invalid,
// InformationField returns DefaultInformation.
func InformationField(atr []byte) int {
	const (
		ta = 0x10
		tb = 0x20
		tc = 0x40
		td = 0x80
	)
	if len(atr) < 2 {
		return DefaultInformation
	}
	follow, protocol, at := atr[1], byte(0), 2 // T0 says which of TA1, TB1, TC1 and TD1 follow
	for i := 1; at < len(atr); i++ {
		if follow&ta != 0 {
			if n := int(atr[at]); i > 2 && protocol == 1 && n > 0 && n <= MaxInformation {
				return n
			}
			at++
		}
		for _, other := range []byte{tb, tc} {
			if follow&other != 0 {
				at++
			}
		}
		if follow&td == 0 || at >= len(atr) {
			break
		}
		follow, protocol = atr[at], atr[at]&0x0F
		at++
	}
	return DefaultInformation
}
