package terminal_test

import (
	"crypto/x509"
	"errors"
	"testing"
	"testing/synctest"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/terminal"
)

// If the kiosk does not know a card's issuer, it leaves the decision to the hub,
// provided that the card holds the issuer's certificate and that certificate chains
// to an anchor.
func TestAuthoritiesOnTheCard(t *testing.T) {
	for name, c := range map[string]struct {
		brings bool
		screen kiosk.ScreenID
	}{
		"it brings its issuer": {true, kiosk.ScreenPIN},
		"it does not":          {false, kiosk.ScreenDenied},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, func(r *rig, term *terminal.Terminal) {
					domains, err := trust.New(trust.Domain{
						Name: "old", Anchors: []*x509.Certificate{r.pki.Root}, Policies: []string{trust.AnyPolicy}, Subject: "buypass", Unrevocable: true,
					})
					if err != nil {
						t.Fatal(err)
					}
					deciderOf(term).domains = domains
					if c.brings {
						r.card.cas = [][]byte{r.pki.PersonCA.Raw}
					}
				})
				r.slotIs(kiosk.CardGone{}, cardIn())
				s := r.expectScreen(c.screen)
				if !c.brings && s.Reason != kiosk.NotTrusted {
					t.Errorf("denied for %s", s.Reason)
				}
				r.expectOrder("authorities read")
				if c.brings {
					r.typeKeys("1234#")
					r.expectScreen(kiosk.ScreenGranted)
				}
				_ = r.end()
			})
		})
	}
}

// If the cached certificate of a card has expired, the terminal reads the card and
// uses its newer certificate.
func TestRememberedCertificateThatRanOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(r *rig, _ *terminal.Terminal) {
			r.card.once = [][]byte{r.pki.Holders["expired"].Authentication.Certificate.Raw}
		})
		r.slotIs(kiosk.CardGone{}, cardIn())
		r.expectScreen(kiosk.ScreenPIN)
		r.typeKeys("1234#")
		r.expectScreen(kiosk.ScreenGranted)
		_ = r.end()
	})
}

// A fault of the decider is not a refusal of the card, and not an acceptance either:
// the visit fails.
func TestDeciderFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(_ *rig, term *terminal.Terminal) { term.Decider = brokenDecider{term.Decider} })
		r.slotIs(kiosk.CardGone{}, cardIn())
		if s := r.expectScreen(kiosk.ScreenFailed); s.Reason != kiosk.Internal {
			t.Errorf("failed because of %s", s.Reason)
		}
		_ = r.end()
	})
}

// brokenDecider chooses no certificate, and cannot say why.
type brokenDecider struct{ terminal.Decider }

func (brokenDecider) Choose([][]byte, ...[]byte) (trust.Choice, error) {
	return trust.Choice{}, errors.New("no trust domain is loaded")
}
