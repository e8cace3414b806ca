package terminal_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/terminal"
)

// brittleCard fails at one of the commands.
type brittleCard struct {
	*fakeCard
	fails string
	err   error
	reads int
}

func (c *brittleCard) at(command string) error {
	if c.fails == command {
		return c.err
	}
	return nil
}

func (c *brittleCard) Certificates(ctx context.Context) ([][]byte, error) {
	if c.reads++; c.reads == 2 && c.fails == "second read" {
		return nil, c.err
	}
	if err := c.at("read"); err != nil {
		return nil, err
	}
	return c.fakeCard.Certificates(ctx)
}

func (c *brittleCard) Authorities(ctx context.Context) ([][]byte, error) {
	if err := c.at("authorities"); err != nil {
		return [][]byte{c.rig.pki.PersonCA.Raw}, err
	}
	return c.fakeCard.Authorities(ctx)
}

func (c *brittleCard) PINStatus(ctx context.Context, i int) (kiosk.PINStatus, error) {
	if err := c.at("PIN status"); err != nil {
		return kiosk.PINStatus{}, err
	}
	return c.fakeCard.PINStatus(ctx, i)
}

func (c *brittleCard) VerifyPIN(ctx context.Context, i int, pin []byte) error {
	if err := c.at("PIN"); err != nil {
		return err
	}
	return c.fakeCard.VerifyPIN(ctx, i, pin)
}

func (c *brittleCard) Signer(ctx context.Context, i int) (crypto.Signer, error) {
	if err := c.at("signer"); err != nil {
		return nil, err
	}
	signer, err := c.fakeCard.Signer(ctx, i)
	return brittleSigner{signer, c.at("signature")}, err
}

func (c *brittleCard) Close() error { return errors.Join(c.at("close"), c.fakeCard.Close()) }

type brittleSigner struct {
	crypto.Signer
	err error
}

func (s brittleSigner) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.Signer.Sign(random, digest, options)
}

// brittleSlot holds a brittleCard, or none.
type brittleSlot struct {
	*fakeSlot
	card *brittleCard
}

func (s brittleSlot) Open(context.Context, string) (terminal.Card, error) {
	return s.card, s.card.at("open")
}

// An error of any command ends the visit as failed, for the reason that the error has.
func TestCardFails(t *testing.T) {
	for _, tt := range []struct {
		fails  string
		err    error
		screen kiosk.ScreenID
		reason kiosk.Reason
	}{
		{"open", errors.New("x"), kiosk.ScreenFailed, kiosk.CardUnreadable},
		{"open", &terminal.CardError{Reason: kiosk.CardMute, Err: errors.New("x")}, kiosk.ScreenFailed, kiosk.CardMute},
		{"read", errors.New("x"), kiosk.ScreenFailed, kiosk.CardUnreadable},
		{"PIN status", errors.New("x"), kiosk.ScreenFailed, kiosk.CardUnreadable},
		{"PIN", errors.New("x"), kiosk.ScreenFailed, kiosk.CardUnreadable},
		{"signer", errors.New("x"), kiosk.ScreenFailed, kiosk.CardUnreadable},
		{"signature", errors.New("x"), kiosk.ScreenFailed, kiosk.CardUnreadable},
		{"close", errors.New("x"), kiosk.ScreenGranted, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, func(r *rig, term *terminal.Terminal) {
				term.Slot = brittleSlot{&r.slot, &brittleCard{fakeCard: r.card, fails: tt.fails, err: tt.err}}
			})
			r.slotIs(kiosk.CardGone{}, cardIn())
			if r.screen.ID == kiosk.ScreenPIN {
				r.typeKeys("1234#")
			}
			if s := r.expectScreen(tt.screen); s.Reason != tt.reason {
				t.Errorf("%s: %s", tt.fails, s.Reason)
			}
			if failed := tt.screen == kiosk.ScreenFailed; failed != strings.Contains(r.logged(), "card failed") {
				t.Errorf("%s: it logs\n%s", tt.fails, r.logged())
			}
			r.slotIs(kiosk.CardGone{})
			if closing := tt.fails == "close"; closing != strings.Contains(r.logged(), "cannot close card") {
				t.Errorf("%s: it logs\n%s", tt.fails, r.logged())
			}
			_ = r.end()
		})
	}
}

// A card that a command found missing counts as unreadable only if the slot does not
// report it within two seconds.
func TestSlotDoesNotReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(r *rig, term *terminal.Terminal) {
			term.Slot = brittleSlot{&r.slot, &brittleCard{fakeCard: r.card, fails: "open", err: terminal.ErrNoCard}}
		})
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.pass(2*time.Second - 1)
		r.expectScreen(kiosk.ScreenReading)
		r.pass(1)
		if s := r.expectScreen(kiosk.ScreenFailed); s.Reason != kiosk.CardUnreadable {
			t.Errorf("it fails for %s", s.Reason)
		}
		_ = r.end()
	})
}

// A card that is refused is read a second time. If that fails, the visit fails; without its
// issuers the refusal stays.
func TestRefusedCardFails(t *testing.T) {
	for fails, want := range map[string]struct {
		screen kiosk.ScreenID
		reason kiosk.Reason
	}{
		"second read": {kiosk.ScreenFailed, kiosk.CardUnreadable},
		"authorities": {kiosk.ScreenDenied, kiosk.NotTrusted},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, func(r *rig, term *terminal.Terminal) {
				domains, err := trust.New(trust.Domain{
					Name: "old", Anchors: []*x509.Certificate{r.pki.Root}, Policies: []string{trust.AnyPolicy}, Subject: "buypass", Unrevocable: true,
				})
				if err != nil {
					t.Fatal(err)
				}
				deciderOf(term).domains = domains
				term.Slot = brittleSlot{&r.slot, &brittleCard{fakeCard: r.card, fails: fails, err: errors.New("x")}}
			})
			r.slotIs(kiosk.CardGone{}, cardIn())
			if s := r.expectScreen(want.screen); s.Reason != want.reason {
				t.Errorf("%s: %s", fails, s.Reason)
			}
			_ = r.end()
		})
	}
}

func TestErrorTexts(t *testing.T) {
	cause := errors.New("the reader was busy")
	for want, err := range map[string]error{
		"wrong PIN":               &terminal.PINError{},
		"wrong PIN, 0 tries left": &terminal.PINError{Status: kiosk.PINStatus{TriesKnown: true}},
		"the reader was busy":     &terminal.PadError{Result: terminal.PadRefused, Err: cause},
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
	if !errors.Is(&terminal.PadError{Err: cause}, cause) {
		t.Error("the driver's error is lost")
	}
}
