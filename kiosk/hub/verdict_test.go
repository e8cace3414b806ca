package hub

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/trust"
)

// ocspHub opens a hub whose cards are checked by an OCSP responder, without a CRL.
// respond is the responder.
func ocspHub(t *testing.T, b *bed, withCRL bool, respond roundTrip) *Hub {
	t.Helper()
	path := filepath.Join(b.dir, trustDir, trustFile)
	crls := ""
	if withCRL {
		crls = "crls = [\"person-ca.crl\"]\n"
	}
	text := "[[domain]]\nname = \"buypass-test\"\nanchors = [\"root.pem\"]\nintermediates = [\"person-ca.pem\"]\npolicies = [\"any\"]\n" +
		crls + "subject = \"buypass\"\n[domain.ocsp]\nnonce = \"optional\"\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Conn, cfg.Now = b.conn, b.now
	if cfg.Trust, err = NewTrust(origin, cfg.Trust.files, trust.NewOCSP(respond, rand.Reader)); err != nil {
		t.Fatal(err)
	}
	h, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// neverAnswers stands for a server that accepts a request and never answers.
func neverAnswers(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// responder answers each OCSP request with a status.
func responder(t *testing.T, status int) roundTrip {
	pki := cards(t)
	return func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		request, err := ocsp.ParseRequest(body)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		answer, err := ocsp.CreateResponse(pki.PersonCA, pki.Responder, ocsp.Response{
			Status: status, SerialNumber: request.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(time.Hour),
			RevokedAt: now, IssuerHash: crypto.SHA1, Certificate: pki.Responder,
		}, pki.ResponderKey)
		if err != nil {
			return nil, err
		}
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(answer))}, nil
	}
}

// useWebhook makes the bed's rules ask a webhook.
func useWebhook(b *bed, onFailure string) {
	b.t.Helper()
	secret := "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	if err := os.WriteFile(filepath.Join(b.dir, "s"), []byte(secret), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.rule("default = \"allow\"\n[webhook]\nurl = \"https://door.example\"\nsecret_file = \"s\"\ntimeout = \"1500ms\"\non_failure = \"" + onFailure + "\"\n")
}

// The hub answers within VerdictWithin although the OCSP responder and the operator's
// system both never answer, and denies with a reason.
func TestVerdictWithinItsDeadline(t *testing.T) {
	for name, tt := range map[string]struct {
		ocsp, webhook roundTrip
		withCRL       bool
		onFailure     string
		want          kiosk.Reason
	}{
		"both silent":                      {neverAnswers, neverAnswers, false, "deny", kiosk.RevocationUnknown},
		"responder silent, CRL at hand":    {neverAnswers, answerDoor("allow"), true, "deny", ""},
		"webhook silent":                   {responder(t, ocsp.Good), neverAnswers, false, "deny", kiosk.NotAsked},
		"webhook silent, allowed":          {responder(t, ocsp.Good), neverAnswers, false, "allow", ""},
		"revoked, webhook silent":          {responder(t, ocsp.Revoked), neverAnswers, false, "allow", kiosk.Revoked},
		"responder silent, webhook denies": {neverAnswers, answerDoor("deny"), true, "allow", kiosk.OperatorDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for the deadline
			b := newBed(t)
			useWebhook(b, tt.onFailure)
			h := ocspHub(t, b, tt.withCRL, tt.ocsp)
			h.webhooks = tt.webhook
			nonce := newNonce(t, h, "k1")
			began := time.Now()
			v, err := h.verdict(t.Context(), "k1", hubapi.AuthenticationRequest{Visit: "v", Nonce: nonce, Token: token(t, "valid", nonce)})
			if err != nil || v.Granted != (tt.want == "") || v.Reason != tt.want {
				t.Errorf("got %+v, %v; want reason %q", v, err, tt.want)
			}
			// Twice the limit, for a busy machine; one after the other would take longer.
			if took := time.Since(began); took > 2*hubapi.VerdictWithin {
				t.Errorf("the verdict took %s, want at most %s", took, hubapi.VerdictWithin)
			}
		})
	}
}

func answerDoor(decision string) roundTrip {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader([]byte(`{"decision":"` + decision + `"}`)))}, nil
	}
}

// The kiosk waits longer than the hub may take, so that it never decides offline while a
// hub is at work.
func TestVerdictIsQuickerThanTheKiosk(t *testing.T) {
	if hubapi.VerdictWithin >= kiosk.DefaultTiming.Hub {
		t.Errorf("the hub may take %s, but a kiosk waits %s", hubapi.VerdictWithin, kiosk.DefaultTiming.Hub)
	}
	// The limits that follow each other within a verdict, as a sum: all checks have one
	// deadline, and each of the two that run in parallel may be awaited a little longer.
	if sum := hubapi.VerdictWithin - answerMargin + 2*stragglers; sum > hubapi.VerdictWithin {
		t.Errorf("the hub's limits add up to %s, more than %s", sum, hubapi.VerdictWithin)
	}
	// The kiosk's limit also has to hold the way of request and answer.
	const way = 250 * time.Millisecond
	if sum := hubapi.VerdictWithin + way; sum > kiosk.DefaultTiming.Hub {
		t.Errorf("verdict and network take up to %s, but a kiosk waits %s", sum, kiosk.DefaultTiming.Hub)
	}
	b := newBed(t)
	c, err := b.open().newChallenge(t.Context(), "k1")
	if err != nil || c.VerdictWithin != hubapi.VerdictWithin.Seconds() {
		t.Errorf("the challenge says %v s, %v; want %s", c.VerdictWithin, err, hubapi.VerdictWithin)
	}
}

// A panic in a check ends the request with an error. Without recovery it would end the
// whole hub.
func TestVerdictSurvivesAPanic(t *testing.T) {
	b := newBed(t)
	h := ocspHub(t, b, false, func(*http.Request) (*http.Response, error) { panic("index out of range") })
	nonce := newNonce(t, h, "k1")
	v, err := h.verdict(t.Context(), "k1", hubapi.AuthenticationRequest{Visit: "v", Nonce: nonce, Token: token(t, "valid", nonce)})
	if _, ok := err.(panicError); !ok || v.Granted {
		t.Errorf("got %+v, %v; want a panicError", v, err)
	}
}

// A card that OCSP reports as revoked is in the next CRL set that kiosks get, at each hub
// and after a restart, although the CA's CRL does not list it yet.
func TestRevokedByOCSPIsInTheNextCRLSet(t *testing.T) {
	b := newBed(t)
	h := ocspHub(t, b, true, responder(t, ocsp.Revoked))
	other := ocspHub(t, b, true, responder(t, ocsp.Good))
	before := h.config.Trust.current.Load().crls[0]
	if v := ask(t, h, "valid", "k1"); v.Reason != kiosk.Revoked {
		t.Fatalf("got %+v, want revoked", v)
	}
	listed := func(h *Hub) bool {
		p, err := h.policyFor(t.Context(), "k1")
		if err != nil {
			t.Fatal(err)
		}
		return p.CRLs[0].Digest != before.Digest && p.CRLs[0].Size == before.Size+8
	}
	for name, h := range map[string]*Hub{"the hub that asked": h, "another hub": other, "a restarted hub": ocspHub(t, b, true, neverAnswers)} {
		for i := 0; !listed(h); i++ {
			if i == 500 {
				t.Fatalf("%s: the CRL set does not list the card", name)
			}
			<-time.After(10 * time.Millisecond) // the hubs tell each other through the store
		}
		if v := ask(t, h, "valid", "k1"); v.Reason != kiosk.Revoked {
			t.Errorf("%s: got %+v, want revoked", name, v)
		}
	}
}

// Answers to a kiosk have the newest time that a CA has signed in an OCSP answer. It does
// not depend on the hub's clock.
func TestSignedTime(t *testing.T) {
	b := newBed(t)
	h := ocspHub(t, b, false, responder(t, ocsp.Good))
	signed := func() string {
		w := httptest.NewRecorder()
		h.noteKiosk(w, httptest.NewRequest("GET", "/v1/kiosk", nil), caller{Identity: hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}})
		return w.Header().Get(hubapi.SignedTimeHeader)
	}
	if got := signed(); got != "" {
		t.Errorf("without an OCSP answer the time is %s", got)
	}
	if v := ask(t, h, "valid", "k1"); !v.Granted {
		t.Fatalf("got %+v", v)
	}
	got, err := http.ParseTime(signed())
	if newest := h.config.Trust.signedTime(); err != nil || newest.IsZero() || !got.Equal(newest.Truncate(time.Second)) {
		t.Errorf("the time is %s, %v; want that of the answer, %s", got, err, newest)
	}
}
