package t1

// InformationField gives how many bytes of information a card takes in a block,
// by its answer to reset: IFSC stands in the first TA after a TD that names T=1,
// from TD2 on (§11.4.2). Where there is none, or what is there has another form,
// it is DefaultInformation.
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
	follow, protocol, at := atr[1], byte(0), 2 // T0 says what of TA1, TB1, TC1 and TD1 is there
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
