package hub

import (
	"bytes"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubapi"
)

func TestAuthenticate(t *testing.T) {
	b := newBed(t)
	k1 := b.kiosk(b.serve(), "k1")
	for card, want := range map[string]kiosk.Reason{
		"valid":   "",
		"expired": kiosk.Expired,
		"revoked": kiosk.Revoked,
		"foreign": kiosk.NotTrusted,
		"hsm":     kiosk.Policy,
	} {
		nonce := k1.nonce()
		got := k1.verdict(t.Context(), nonce, token(t, card, nonce))
		if got.Granted != (want == "") || got.Reason != want || got.Offline {
			t.Errorf("%s: got %+v, want reason %q", card, got, want)
		}
		person := cards(t).Holders[card].Person.Name()
		if got.Granted && (got.Holder.Name != person || got.Holder.Domain != "buypass-test") {
			t.Errorf("%s: the holder is %+v, want %s", card, got.Holder, person)
		}
	}
}

func TestAuthenticateRefuses(t *testing.T) {
	b := newBed(t)
	url, otherURL := b.serve(), b.serve()
	k1, k2 := b.kiosk(url, "k1"), b.kiosk(otherURL, "k2")
	used := k1.nonce()
	k1.verdict(t.Context(), used, token(t, "valid", used))
	unknown := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	fresh, foreign := k1.nonce(), k2.nonce()
	for _, tt := range []struct {
		what  string
		nonce string
		token []byte
		want  kiosk.Reason
	}{
		{"a replayed exchange", used, token(t, "valid", used), kiosk.NonceUsed},
		{"a nonce that the hub did not make", unknown, token(t, "valid", unknown), kiosk.NonceUnknown},
		{"another kiosk's nonce", foreign, token(t, "valid", foreign), kiosk.NonceForeign},
		{"a signature over another nonce", fresh, token(t, "valid", used), kiosk.Signature},
		{"the same nonce again", fresh, token(t, "valid", fresh), kiosk.NonceUsed},
		{"no token", k1.nonce(), []byte(`"hello"`), kiosk.Parse},
		{"null", k1.nonce(), []byte(`null`), kiosk.Parse},
	} {
		got := k1.to(otherURL).verdict(t.Context(), tt.nonce, tt.token)
		if got.Granted || got.Reason != tt.want || got.Holder != (kiosk.Holder{}) {
			t.Errorf("%s: got %+v, want reason %q", tt.what, got, tt.want)
		}
	}
	expired := k1.nonce()
	b.advance(hubapi.ChallengeLife)
	if got := k1.verdict(t.Context(), expired, token(t, "valid", expired)); got.Reason != kiosk.NonceExpired {
		t.Errorf("an expired nonce: got %+v", got)
	}
}

// failingValidator has an error of its own, such as a bad configuration.
type failingValidator struct{}

func (failingValidator) Verify([]byte, string, time.Time) (Proof, error) {
	return Proof{}, errors.New("the responder is on fire")
}

// A hub that cannot verify a token answers with an error and not with a denial.
func TestAuthenticateWhenVerifyFails(t *testing.T) {
	h := newBed(t).open()
	h.validator = failingValidator{}
	_, err := h.verdict(t.Context(), "k1", hubapi.AuthenticationRequest{Visit: "v", Nonce: newNonce(t, h, "k1")})
	if err == nil || !strings.Contains(err.Error(), "on fire") {
		t.Errorf("got %v", err)
	}
}

// The log is for technicians. It never names a holder.
func TestLogHoldsNoNames(t *testing.T) {
	b := newBed(t)
	h := b.open()
	var log bytes.Buffer
	h.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, card := range []string{"valid", "expired", "revoked"} {
		nonce := newNonce(t, h, "k1")
		if _, err := h.verdict(t.Context(), "k1", hubapi.AuthenticationRequest{Visit: "v-" + card, Nonce: nonce, Token: token(t, card, nonce)}); err != nil {
			t.Fatal(err)
		}
		person := cards(t).Holders[card]
		subject := person.Authentication.Certificate.Subject
		if !strings.Contains(log.String(), "visit=v-"+card) {
			t.Errorf("the visit of %s is not in the log", card)
		}
		for _, secret := range []string{person.Person.Given, person.Person.Surname, subject.SerialNumber, nonce} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log has %q: %s", secret, &log)
			}
		}
	}
}
