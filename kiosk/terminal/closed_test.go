package terminal

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"testing"

	"smartkiosk/kiosk"
)

// countingCard counts the calls that would send a PIN or sign.
type countingCard struct {
	Card
	verified, onPad, signed, closed int
}

func (c *countingCard) VerifyPIN(context.Context, int, []byte) error { c.verified++; return nil }

func (c *countingCard) VerifyPINOnPad(context.Context, int) error { c.onPad++; return nil }

func (c *countingCard) Signer(context.Context, int) (crypto.Signer, error) {
	c.signed++
	return nil, errors.New("no key")
}

func (c *countingCard) Close() error { c.closed++; return nil }

func typed(digits string) kiosk.PIN {
	var pin kiosk.PIN
	for i := range len(digits) {
		pin = pin.Append(digits[i])
	}
	return pin
}

// TestPINAfterTheCard: a PIN that reaches the card's owner after the card was closed,
// or after its visit ended, is wiped and is sent to no card.
func TestPINAfterTheCard(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	for name, c := range map[string]struct {
		visit context.Context
		close bool
		sends int
	}{
		"an open card":                  {t.Context(), false, 1},
		"a closed card":                 {t.Context(), true, 0},
		"an open card after the visit":  {ended, false, 0},
		"a closed card after the visit": {ended, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			card := &countingCard{}
			o := cardOwner{terminal: &Terminal{}, card: card}
			if c.close {
				o.release()
			}
			pin := typed("1234")
			var digits []byte
			_, err := o.verify(c.visit, kiosk.VerifyPIN{Visit: "v", PIN: pin})
			if card.verified != c.sends || (err == nil) != (c.sends == 1) {
				t.Errorf("VerifyPIN was called %d times, %v", card.verified, err)
			}
			if err := pin.Use(func(b []byte) error { digits = bytes.Clone(b); return nil }); err != nil || bytes.ContainsAny(digits, "1234") {
				t.Errorf("the PIN was kept, %v", err)
			}
			if _, err := o.verifyOnPad(c.visit, kiosk.VerifyOnPad{Visit: "v"}); card.onPad != c.sends || (err == nil) != (c.sends == 1) {
				t.Errorf("the reader asked for a PIN %d times, %v", card.onPad, err)
			}
			if _, err := o.sign(c.visit, kiosk.Sign{Visit: "v", Nonce: "n"}); err == nil || c.close && card.signed > 0 {
				t.Errorf("Signer was called %d times, %v", card.signed, err)
			}
			if closed := card.closed; closed > 1 || c.close && closed != 1 {
				t.Errorf("closed %d times", closed)
			}
		})
	}
}
