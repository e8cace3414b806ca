package smartkort_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

// padLine is a connection through a reader with keys, on which a holder types.
type padLine struct {
	*line
	typed []byte // what the block begins with then
	fails error
	asked []slot.PINEntry
}

func (p *padLine) HasPINPad() bool { return true }

func (p *padLine) VerifyOnPad(ctx context.Context, e slot.PINEntry) ([]byte, error) {
	p.asked = append(p.asked, e)
	if p.fails != nil {
		return nil, p.fails
	}
	command := bytes.Clone(e.Command)
	copy(command[5:], p.typed)
	return p.Transmit(ctx, command)
}

// TestPINPad signs after the reader has verified the PIN, which the driver never
// sees, for PINs of each form.
func TestPINPad(t *testing.T) {
	kinds := newKinds(t)
	for name, c := range map[string]struct {
		card    *cardsim.Card
		block   string
		command string
		asked   int
	}{
		"smartkort":    {newPKI(t).Cards["valid"], "1234", "\xA0\x20\x00\x82\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 1},
		cardsim.T1:     {kinds[cardsim.T1].Card, "\x12\x34\x56", "\x00\x20\x00\x81\x03\xFF\xFF\xFF", 1},
		cardsim.Applet: {kinds[cardsim.Applet].Card, "1234", "\x00\x20\x00\x01\x10" + string(make([]byte, 16)), 1},
		cardsim.NoAID:  {kinds[cardsim.NoAID].Card, "1234", "\x00\x20\x00\x01\x08" + string(make([]byte, 8)), 2}, // class A0 refused
	} {
		pad := &padLine{line: connect(t, c.card), typed: []byte(c.block)}
		card, err := smartkort.Driver{}.Open(t.Context(), pad)
		if err != nil {
			t.Fatal(err)
		}
		certs, err := card.AuthenticationCertificates(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, fails := range []error{slot.ErrPadCancelled, slot.ErrPadTimeout, slot.ErrPadLength, slot.ErrNoCard} {
			pad.fails, pad.asked = fails, nil
			if err := card.VerifyPINOnPad(t.Context(), certs[0]); !errors.Is(err, fails) || len(pad.asked) != 1 {
				t.Errorf("%s: %v, asked %d times, want %v", name, err, len(pad.asked), fails)
			}
		}
		pad.fails, pad.asked = nil, nil
		if err := card.VerifyPINOnPad(t.Context(), certs[0]); err != nil || !card.HasPINPad() {
			t.Errorf("%s: %v", name, err)
		}
		if last := pad.asked[len(pad.asked)-1]; len(pad.asked) != c.asked || string(last.Command) != c.command || last.BCD != (name == cardsim.T1) {
			t.Errorf("%s: asked %d times, last by %X", name, len(pad.asked), last.Command)
		}
		signer, err := card.Signer(t.Context(), certs[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signer.Sign(nil, make([]byte, 32), crypto.SHA256); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		pad.typed = bytes.Repeat([]byte{0x30}, len(c.block))
		err = card.VerifyPINOnPad(t.Context(), certs[0])
		if wrong, ok := errors.AsType[*smartkort.PINError](err); !ok || wrong.Tries != 2 {
			t.Errorf("%s: a wrong PIN: %v", name, err)
		}
	}
	card, certs := open(t, connect(t, newPKI(t).Cards["valid"]))
	if err := card.VerifyPINOnPad(t.Context(), certs[0]); err == nil || card.HasPINPad() {
		t.Errorf("a reader without keys: %v", err)
	}
}

// fixedPad asks only for PINs of one length. It refuses others with an error of its
// own, as the driver of a GemPC Pinpad does, and after a time.
type fixedPad struct {
	padLine
	took time.Duration
}

func (p *fixedPad) VerifyOnPad(ctx context.Context, e slot.PINEntry) ([]byte, error) {
	if e.Min == e.Max {
		return p.padLine.VerifyOnPad(ctx, e)
	}
	p.asked = append(p.asked, e)
	time.Sleep(p.took)
	return nil, errParameter
}

var errParameter = errors.New("invalid parameter")

// TestFixedLengthPad: when a reader refuses a PIN of variable length before anybody could
// have typed it, the PIN is typed on the kiosk's keypad. An error that comes later is
// not a refusal, because a PIN may have been typed.
func TestFixedLengthPad(t *testing.T) {
	kinds := newKinds(t)
	for name, c := range map[string]struct {
		card  *cardsim.Card
		fixed bool
	}{
		cardsim.Smartkort: {newPKI(t).Cards["valid"], true},
		cardsim.Applet:    {kinds[cardsim.Applet].Card, false},
		cardsim.NoAID:     {kinds[cardsim.NoAID].Card, false},
		cardsim.TwoPIN:    {kinds[cardsim.TwoPIN].Card, false},
	} {
		for _, took := range []time.Duration{0, slot.TypingTime - 1, slot.TypingTime} {
			synctest.Test(t, func(t *testing.T) {
				pad := &fixedPad{padLine{line: connect(t, c.card), typed: []byte(testpki.PIN)}, took}
				card, err := smartkort.Driver{}.Open(t.Context(), pad)
				if err != nil {
					t.Fatal(err)
				}
				defer card.Close()
				certs, err := card.AuthenticationCertificates(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				err = card.VerifyPINOnPad(t.Context(), certs[0])
				if c.fixed {
					if err != nil || !card.HasPINPad() {
						t.Errorf("%s: %v", name, err)
					}
					return
				}
				early := took < slot.TypingTime
				if !errors.Is(err, errParameter) || errors.Is(err, slot.ErrPadRefused) != early || card.HasPINPad() == early {
					t.Errorf("%s, after %v: %v, the reader asks: %v", name, took, err, card.HasPINPad())
				}
				if pad.count(insVerify) > 0 {
					t.Errorf("%s: the card received a PIN", name)
				}
				if err := card.VerifyPIN(t.Context(), certs[0], []byte(testpki.PIN)); err != nil {
					t.Errorf("%s, on the kiosk's keypad: %v", name, err)
				}
			})
		}
	}
}
