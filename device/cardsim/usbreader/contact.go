package usbreader

import (
	"context"

	"smartkiosk/device/apdu"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/usbreader/t1"
)

// contact is a powered card as seen at its contacts: bytes in, bytes out.
type contact struct {
	card   *cardsim.Card
	block  *t1.Card // the card's side of T=1; nil for T=0
	cancel context.CancelFunc
	gone   <-chan struct{} // closed when the card has lost its power

	protocol byte // the protocol to which the reader is set: 0 or 1
	settings [2][]byte

	// The state of the current exchange; there is one at a time.
	spoken   bool // something was sent since the answer to reset
	chained  bool // the last block sent to the card is not the last of its chain
	commands int
}

// touch powers up a card. It returns nil if the card is mute.
func touch(ctx context.Context, card *cardsim.Card) (k *contact, atr []byte) {
	if atr = card.PowerOn(); atr == nil {
		return nil, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	k = &contact{card: card, cancel: cancel, gone: ctx.Done(), settings: defaultSettings()}
	if a, err := apdu.ParseATR(atr); err == nil && a.Protocols[0] == 1 {
		k.block = t1.NewCard(t1.InformationField(atr), card.Transmit)
		k.protocol = 1
	}
	return k, atr
}

// speaks returns the card's protocol.
func (k *contact) speaks() byte {
	if k.block != nil {
		return 1
	}
	return 0
}

const ppss = 0xFF // the first byte of a PPS, never a CLA or NAD (ISO 7816-3 §9.2)

// begins returns the instruction if b is the beginning of a command.
func (k *contact) begins(b []byte) (ins byte, ok bool) {
	switch {
	case !k.spoken && len(b) > 0 && b[0] == ppss:
		return 0, false
	case k.block == nil:
		return apduINS(b)
	}
	block, err := t1.Parse(b)
	if err != nil || block.PCB&0x80 != 0 { // not an I-block
		return 0, false
	}
	const more = 0x20
	first := !k.chained
	k.chained = block.PCB&more != 0
	if !first {
		return 0, false
	}
	return apduINS(block.Information)
}

func apduINS(b []byte) (ins byte, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	return b[1], true
}

// transmit sends bytes to the card and returns its answer. It returns nil if the
// card does not answer, for example because the reader is set to the other
// protocol.
func (k *contact) transmit(b []byte) []byte {
	first := !k.spoken
	k.spoken = true
	switch {
	case len(b) == 0:
		return nil
	case first && b[0] == ppss:
		return k.selectProtocol(b)
	case k.protocol != k.speaks():
		return nil
	case k.block != nil:
		return k.block.Exchange(b)
	}
	return k.card.Transmit(b)
}

// selectProtocol answers a PPS request (ISO 7816-3 §9.2, §9.3) with the same bytes,
// which accepts everything. It does not answer if the check byte is wrong or the
// request names another protocol than the card's.
func (k *contact) selectProtocol(b []byte) []byte {
	if len(b) < 3 {
		return nil
	}
	n := 3
	for bit := 4; bit <= 6; bit++ {
		n += int(b[1] >> bit & 1)
	}
	var check byte
	for _, x := range b {
		check ^= x
	}
	if len(b) != n || check != 0 || b[1]&0x80 != 0 || b[1]&0x0F != k.speaks() {
		return nil
	}
	return b
}
