package hub

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubapi"
)

// rule writes the rules file of the bed's folder. A hub that is already open reads it at
// its next reload.
func (b *bed) rule(text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, rulesFile), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// ask requests a verdict for a test card at a kiosk.
func ask(t *testing.T, h *Hub, card, kioskID string) kiosk.Verdict {
	t.Helper()
	nonce := newNonce(t, h, kioskID)
	v, err := h.verdict(t.Context(), kioskID, hubapi.AuthenticationRequest{Visit: "v", Nonce: nonce, Token: token(t, card, nonce)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The rules decide after the card has proven its holder, and the kiosk gets their reason
// together with the holder.
func TestAdmission(t *testing.T) {
	b := newBed(t)
	b.rule(`default = "deny"
timezone = "Europe/Oslo"
[groups]
inside = ["k1", "k2"]
[[rule]]
name = "solveig"
action = "allow"
subjects = ["UN:NO-9578-4050-900000001", "UN:NO-9578-4050-900000003"]
groups = ["inside"]
[[rule]]
name = "k2"
action = "deny"
kiosks = ["k2"]
[[rule]]
name = "past"
action = "allow"
kiosks = ["k3"]
until = 2001-01-01
`)
	url := b.serve()
	for _, tt := range []struct {
		card, kiosk string
		want        kiosk.Reason
	}{
		{"valid", "k1", ""},
		{"valid", "k2", kiosk.RuleDenied},
		{"valid", "k3", kiosk.NotAllowed},
		{"blocked", "k1", kiosk.NotAllowed}, // another holder with a valid card
		{"revoked", "k1", kiosk.Revoked},
		{"expired", "k2", kiosk.Expired},
	} {
		var k *party
		if bundle := filepath.Join(b.dir, kiosksDir, tt.kiosk); dirExists(bundle) {
			k = b.party(url, bundle, "kiosk")
		} else {
			k = b.kiosk(url, tt.kiosk)
		}
		nonce := k.nonce()
		got := k.verdict(t.Context(), nonce, token(t, tt.card, nonce))
		if got.Granted != (tt.want == "") || got.Reason != tt.want {
			t.Errorf("%s at %s: got %+v, want reason %q", tt.card, tt.kiosk, got, tt.want)
		}
		person := cards(t).Holders[tt.card].Person
		if proven := tt.want != kiosk.Revoked && tt.want != kiosk.Expired; (got.Holder.ID == person.ID) != proven {
			t.Errorf("%s at %s: the holder is %+v", tt.card, tt.kiosk, got.Holder)
		}
	}
}

func dirExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A hub loads new rules while it serves. If they have an error, it keeps the old ones and
// reports that.
func TestRulesAreReloaded(t *testing.T) {
	b := newBed(t)
	h := b.open()
	look := func() { h.rules.Reload(slog.New(slog.DiscardHandler)) }
	health := func() string {
		t.Helper()
		w := httptest.NewRecorder()
		if err := h.health(w, httptest.NewRequest("GET", "/healthz", nil), caller{}); err != nil {
			t.Fatal(err)
		}
		return w.Body.String()
	}
	if v := ask(t, h, "valid", "k1"); !v.Granted {
		t.Errorf("by the rules of a new hub: got %+v", v)
	}
	b.rule(`default = "deny"`)
	look()
	if v := ask(t, h, "valid", "k1"); v.Reason != kiosk.NotAllowed {
		t.Errorf("by the new rules: got %+v", v)
	}
	b.rule(`default = "allow`)
	look()
	if v := ask(t, h, "valid", "k1"); v.Reason != kiosk.NotAllowed {
		t.Errorf("by the old rules: got %+v", v)
	}
	if got := health(); got != `{"status":"ok","rules":"stale"}` {
		t.Errorf("health is %s", got)
	}
	b.rule(`default = "allow"`)
	look()
	if got := health(); got != `{"status":"ok","rules":"current"}` {
		t.Errorf("health is %s", got)
	}
}

func TestHubNeedsRules(t *testing.T) {
	b := newBed(t)
	b.rule(`default = ""`)
	if _, err := Load(b.dir); err == nil || !strings.Contains(err.Error(), `rules.toml: default = "": write "allow" or "deny"`) {
		t.Errorf("wrong rules: got %v", err)
	}
	if err := os.Remove(filepath.Join(b.dir, rulesFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(b.dir); err == nil || !strings.Contains(err.Error(), "rules.toml is missing") {
		t.Errorf("no rules: got %v", err)
	}
}

// The hub asks the operator's system only about holders whom the rules let in, with a
// request that it can verify. Its answer, or a missing answer, decides.
func TestWebhook(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	answer, ids := "", map[string]bool{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		id := r.Header.Get("webhook-id")
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(id + "." + r.Header.Get("webhook-timestamp") + "." + string(body)))
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); r.Header.Get("webhook-signature") != want {
			t.Errorf("signature %q, want %q", r.Header.Get("webhook-signature"), want)
		}
		if ids[id] {
			t.Errorf("id %q came twice", id)
		}
		ids[id] = true
		if !strings.Contains(string(body), `"data":{"visit":"v","kiosk":"k1","subject":"UN:NO-9578-4050-900000001","domain":"buypass-test"}`) {
			t.Errorf("asked %s", body)
		}
		io.WriteString(w, answer)
	}))
	defer srv.Close()
	b := newBed(t)
	if err := os.WriteFile(filepath.Join(b.dir, "webhook.secret"), []byte("whsec_"+base64.StdEncoding.EncodeToString([]byte(secret))), 0o600); err != nil {
		t.Fatal(err)
	}
	on := func(failure string) string {
		return `default = "allow"
[[rule]]
name = "not-at-k2"
action = "deny"
kiosks = ["k2"]
[webhook]
url = "` + srv.URL + `"
secret_file = "webhook.secret"
on_failure = "` + failure + `"
`
	}
	b.rule(on("deny"))
	h := b.open()
	for _, tt := range []struct {
		rules, answer, kiosk string
		want                 kiosk.Reason
		asked                bool
	}{
		{on("deny"), `{"decision":"allow"}`, "k1", "", true},
		{on("deny"), `{"decision":"deny"}`, "k1", kiosk.OperatorDenied, true},
		{on("deny"), `perhaps`, "k1", kiosk.OperatorSilent, true},
		{on("allow"), `perhaps`, "k1", "", true},
		{on("allow"), `{"decision":"deny"}`, "k1", kiosk.OperatorDenied, true},
		{on("allow"), `{"decision":"allow"}`, "k2", kiosk.RuleDenied, false},
	} {
		b.rule(tt.rules)
		h.rules.Reload(slog.New(slog.DiscardHandler))
		answer = tt.answer
		before := len(ids)
		if v := ask(t, h, "valid", tt.kiosk); v.Granted != (tt.want == "") || v.Reason != tt.want {
			t.Errorf("%s: got %+v, want reason %q", tt.answer, v, tt.want)
		}
		if asked := len(ids) > before; asked != tt.asked {
			t.Errorf("%s at %s: asked %t", tt.answer, tt.kiosk, asked)
		}
	}
	srv.Close()
	b.rule(on("allow"))
	h.rules.Reload(slog.New(slog.DiscardHandler))
	if v := ask(t, h, "valid", "k1"); !v.Granted {
		t.Errorf("without connection, on_failure = allow: got %+v", v)
	}
}

// A kiosk that no longer waits gets no verdict, in particular none that rests on the
// operator's system not having answered.
func TestWebhookWhenTheKioskGivesUp(t *testing.T) {
	b := newBed(t)
	h := b.open()
	ctx, cancel := context.WithCancel(t.Context())
	h.webhooks = roundTrip(func(r *http.Request) (*http.Response, error) {
		cancel()
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	if err := os.WriteFile(filepath.Join(b.dir, "s"), []byte("whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600); err != nil {
		t.Fatal(err)
	}
	b.rule("default = \"allow\"\n[webhook]\nurl = \"https://door.example\"\nsecret_file = \"s\"\non_failure = \"allow\"\n")
	var log bytes.Buffer
	h.rules.Reload(slog.New(slog.NewTextHandler(&log, nil)))
	nonce := newNonce(t, h, "k1")
	verdict, err := h.verdict(ctx, "k1", hubapi.AuthenticationRequest{Visit: "v", Nonce: nonce, Token: token(t, "valid", nonce)})
	if !errors.Is(err, context.Canceled) || verdict.Granted {
		t.Errorf("got %+v, %v; %s", verdict, err, &log)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The log about a rule's decision does not name the holder.
func TestAdmissionLogHoldsNoNames(t *testing.T) {
	b := newBed(t)
	b.rule(`default = "deny"`)
	h := b.open()
	var log bytes.Buffer
	h.log = slog.New(slog.NewTextHandler(&log, nil))
	ask(t, h, "valid", "k1")
	if !strings.Contains(log.String(), "reason=not-allowed") || !strings.Contains(log.String(), "version="+h.rules.Rules().Version) {
		t.Errorf("the log says\n%s", &log)
	}
	if person := cards(t).Holders["valid"].Person; strings.Contains(log.String(), person.ID) || strings.Contains(log.String(), person.Surname) {
		t.Errorf("the log names the holder:\n%s", &log)
	}
}
