package cardsim

import (
	"bytes"
	"crypto/subtle"

	"smartkiosk/device/apdu"
)

// pin is the state of one PIN or PUK.
type pin struct {
	layout   *pinLayout
	value    []byte // padded, as in commands
	left     int
	verified bool

	signatures int // signatures since the PIN was verified
}

// padded encodes digits and pads them to the stored length, as in commands.
func (l *pinLayout) padded(digits []byte) []byte {
	value := bytes.Clone(digits)
	if l.encoding == bcd {
		value = value[:0]
		for i, d := range digits {
			if i%2 == 0 {
				value = append(value, d<<4|l.pad&0x0F)
			} else {
				value[i/2] = value[i/2]&0xF0 | d&0x0F
			}
		}
	}
	return append(value, bytes.Repeat([]byte{l.pad}, max(0, l.stored-len(value)))...)
}

// unpadded returns the digits of a padded value.
func (l *pinLayout) unpadded(value []byte) []byte {
	if l.encoding == bcd {
		var digits []byte
		for _, b := range value {
			digits = append(digits, '0'|b>>4, '0'|b&0x0F)
		}
		return digits
	}
	for len(value) > 0 && value[len(value)-1] == l.pad {
		value = value[:len(value)-1]
	}
	return bytes.Clone(value)
}

// accepts reports whether a padded value can be set as a new PIN: digits within
// the length limits, then only padding.
func (l *pinLayout) accepts(padded []byte) bool {
	digits := l.unpadded(padded)
	if len(padded) != l.stored || len(digits) < l.min || len(digits) > l.max {
		return false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return false
		}
	}
	return true
}

// try compares a value with the PIN. It decrements the try counter before the
// comparison, because a card can lose its power in between. The right value
// resets the counter.
func (p *pin) try(value []byte, blocked apdu.Status) apdu.Status {
	if p.left == 0 {
		return blocked
	}
	p.left--
	p.signatures = 0
	p.verified = subtle.ConstantTimeCompare(p.value, value) == 1
	if !p.verified {
		return p.tries()
	}
	p.left = p.layout.tries
	return apdu.OK
}

func (p *pin) tries() apdu.Status { return 0x63C0 | apdu.Status(p.left) }

// pin returns the PIN with this reference in P2.
func (c *Card) pin(reference byte) *pin {
	for _, p := range c.pins {
		if p.layout.reference == reference {
			return p
		}
	}
	return nil
}

func (c *Card) pinNamed(name string) *pin {
	for _, p := range c.pins {
		if p.layout.name == name {
			return p
		}
	}
	return nil
}

// inactive is the status for every command with a PIN until the holder has
// activated the card: the PIN is not usable (ISO 7816-4 §5.6.3). The answer of
// real Smartkorts is not public.
const inactive = apdu.ReferenceNotUsable

// verify is VERIFY (ISO 7816-4 §11.5.6). Without data it returns the tries left
// and spends none. The last wrong try answers 63C0. After that the answer
// depends on the kind: 6983 or 63C0.
func (c *Card) verify(cmd apdu.Command) ([]byte, apdu.Status) {
	p := c.pin(cmd.P2)
	switch {
	case cmd.P1 != 0:
		return nil, apdu.WrongP1P2
	case p == nil:
		return nil, apdu.ReferenceNotFound
	case c.image.Inactive:
		return nil, inactive
	case len(cmd.Data) == 0 && p.verified:
		return nil, apdu.OK
	case len(cmd.Data) == 0 && p.left == 0:
		return nil, c.layout.blocked
	case len(cmd.Data) == 0:
		return nil, p.tries()
	case len(cmd.Data) != p.layout.stored:
		return nil, apdu.WrongLength
	}
	return nil, p.try(cmd.Data, c.layout.blocked)
}

// changeReferenceData is CHANGE REFERENCE DATA with the old value and the new
// one (ISO 7816-4 §11.5.7, P1 = 00). An invalid new value spends no try.
func (c *Card) changeReferenceData(cmd apdu.Command) ([]byte, apdu.Status) {
	p := c.pin(cmd.P2)
	switch {
	case cmd.P1 != 0:
		return nil, apdu.WrongP1P2
	case p == nil:
		return nil, apdu.ReferenceNotFound
	case c.image.Inactive:
		return nil, inactive
	case len(cmd.Data) != 2*p.layout.stored:
		return nil, apdu.WrongLength
	}
	old, value := cmd.Data[:p.layout.stored], cmd.Data[p.layout.stored:]
	if !p.layout.accepts(value) {
		return nil, apdu.WrongData
	}
	if sw := p.try(old, c.layout.blocked); sw != apdu.OK {
		return nil, sw
	}
	p.value = bytes.Clone(value)
	return nil, apdu.OK
}

// resetRetryCounter is RESET RETRY COUNTER with the PUK and a new PIN (ISO
// 7816-4 §11.5.10, P1 = 00). A wrong PUK answers with the tries of the PUK.
func (c *Card) resetRetryCounter(cmd apdu.Command) ([]byte, apdu.Status) {
	p := c.pin(cmd.P2)
	if cmd.P1 != 0 {
		return nil, apdu.WrongP1P2
	}
	if p == nil || p.layout.unblockedBy == "" {
		return nil, apdu.ReferenceNotFound
	}
	if c.image.Inactive {
		return nil, inactive
	}
	puk := c.pinNamed(p.layout.unblockedBy)
	if len(cmd.Data) != puk.layout.stored+p.layout.stored {
		return nil, apdu.WrongLength
	}
	value := cmd.Data[puk.layout.stored:]
	if !p.layout.accepts(value) {
		return nil, apdu.WrongData
	}
	if sw := puk.try(cmd.Data[:puk.layout.stored], c.layout.blocked); sw != apdu.OK {
		return nil, sw
	}
	p.value, p.left, p.verified = bytes.Clone(value), p.layout.tries, false
	return nil, apdu.OK
}
