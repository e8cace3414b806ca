package smartkort

import (
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
)

// ErrPINForm means that the entered PIN is too short, too long or has other
// characters than digits. It was not sent, so no try was spent.
var ErrPINForm = errors.New("PIN has the wrong form")

// ErrPINEncoding means that the card wants the PIN in an encoding that the
// driver does not support. The PIN was not sent.
var ErrPINEncoding = errors.New("unsupported encoding of the PIN")

// capacity returns how many digits fit into the stored bytes. A card that does
// not state these has no limit of its own.
func (p PIN) capacity() int {
	if p.StoredLength == 0 {
		return apdu.MaxShortData
	}
	if p.Encoding == BCD {
		return 2 * p.StoredLength
	}
	return p.StoredLength
}

// block encodes the digits as VERIFY sends them.
func (p PIN) block(digits []byte) ([]byte, error) {
	if n := len(digits); n < max(p.MinLength, 1) || n > min(p.MaxLength, p.capacity()) {
		if p.MinLength == p.MaxLength {
			return nil, fmt.Errorf("%w: it must have %d digits", ErrPINForm, p.MinLength)
		}
		return nil, fmt.Errorf("%w: it must have %d to %d digits", ErrPINForm, p.MinLength, p.MaxLength)
	}
	if p.Encoding > UTF8 {
		return nil, fmt.Errorf("%w: type %d (ISO 7816-15 §8.9.2)", ErrPINEncoding, p.Encoding)
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return nil, fmt.Errorf("%w: only digits are allowed", ErrPINForm)
		}
	}
	b := make([]byte, 0, max(p.StoredLength, len(digits)))
	if p.Encoding == BCD {
		for i := 0; i < len(digits); i += 2 {
			low := p.Pad & 0x0F
			if i+1 < len(digits) {
				low = digits[i+1] - '0'
			}
			b = append(b, (digits[i]-'0')<<4|low)
		}
	} else {
		b = append(b, digits...)
	}
	if p.NeedsPadding {
		for len(b) < p.StoredLength {
			b = append(b, p.Pad)
		}
	}
	return b, nil
}
