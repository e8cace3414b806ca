package rules

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// secret is from the example in the Standard Webhooks specification.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func webhook(t *testing.T) *Webhook {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := webhookEntry{URL: "https://door.example/admission", SecretFile: "secret", OnFailure: "deny"}.read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answering(status int, body string) transport {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

var asked = Question{
	ID: "msg_p5jXN8AQM9LWM0D4loKWxJek", Visit: "v1", Rule: "day",
	Case: Case{Subject: kari, Domain: "buypass", Kiosk: "k1", At: time.Unix(1614265330, 0)},
}

// The test vector of the Standard Webhooks specification.
func TestSignatureVector(t *testing.T) {
	header := http.Header{}
	webhook(t).sign(header, asked, []byte(`{"test": 2432232314}`))
	want := map[string]string{
		"webhook-id":        "msg_p5jXN8AQM9LWM0D4loKWxJek",
		"webhook-timestamp": "1614265330",
		"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
	}
	for name, value := range want {
		if got := header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
}

// A request identifies the holder and does not contain the name.
func TestRequest(t *testing.T) {
	var body []byte
	allowed, err := webhook(t).Ask(t.Context(), transport(func(r *http.Request) (*http.Response, error) {
		if r.Method != "POST" || r.URL.String() != "https://door.example/admission" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s %s, %s", r.Method, r.URL, r.Header)
		}
		body, _ = io.ReadAll(r.Body)
		return answering(200, `{"decision": "allow", "more": 1}`)(r)
	}), asked)
	if !allowed || err != nil {
		t.Errorf("got %t, %v", allowed, err)
	}
	const want = `{"type":"smartkiosk.admission.v1","timestamp":"2021-02-25T15:02:10Z",` +
		`"data":{"visit":"v1","kiosk":"k1","subject":"UN:NO-9578-4050-900000001","domain":"buypass","rule":"day"}}`
	if string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answer  transport
		allowed bool
		want    string
	}{
		{"yes", answering(200, `{"decision":"allow"}`), true, ""},
		{"no", answering(200, `{"decision":"deny"}`), false, ""},
		{"an error", answering(500, `{"decision":"allow"}`), false, "Internal Server Error"},
		{"created", answering(201, `{"decision":"allow"}`), false, "Created"},
		{"a redirect", answering(302, `{"decision":"allow"}`), false, "Found"},
		{"an empty answer", answering(200, ``), false, "not a JSON object"},
		{"two objects", answering(200, `{"decision":"allow"}{}`), false, "not a JSON object"},
		{"a list", answering(200, `["allow"]`), false, "not a JSON object"},
		{"another word", answering(200, `{"decision":"yes"}`), false, "has no decision"},
		{"true", answering(200, `{"decision":true}`), false, "has no decision"},
		{"other letters", answering(200, `{"Decision":"allow"}`), false, "has no decision"},
		{"too long", answering(200, `{"decision":"allow"}`+strings.Repeat(" ", maxAnswer)), false, "more than 4096 bytes"},
		{"endless", func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(zeros{})}, nil
		}, false, "more than 4096 bytes"},
		{"a connection that is cut", func(*http.Request) (*http.Response, error) {
			cut := io.MultiReader(strings.NewReader(`{"decision":"allow"}`), iotest.ErrReader(errors.New("reset")))
			return &http.Response{StatusCode: 200, Body: io.NopCloser(cut)}, nil
		}, false, "reset"},
		{"no connection", func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") }, false, "refused"},
	} {
		allowed, err := webhook(t).Ask(t.Context(), tt.answer, asked)
		if allowed != tt.allowed || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %t, %v", tt.name, allowed, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// A webhook that does not answer fails after its timeout.
func TestTimeout(t *testing.T) {
	w := webhook(t)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := w.Ask(t.Context(), transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}), asked)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != defaultTimeout {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// Errors contain neither the secret nor the holder's identifier.
func TestErrorsHoldNoSecret(t *testing.T) {
	raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	_, err := webhook(t).Ask(t.Context(), transport(func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") }), asked)
	for _, hidden := range []string{kari, string(raw), secret} {
		if err == nil || bytes.Contains([]byte(err.Error()), []byte(hidden)) {
			t.Errorf("got %v", err)
		}
	}
}

// Only an answer that contains "allow" lets a holder in.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{`{"decision":"allow"}`, `{"decision":"deny"}`, `{"decision":null}`, `{`, `"allow"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		allowed, err := readAnswer(answer)
		if allowed && (err != nil || !bytes.Contains(answer, []byte(`"allow"`))) {
			t.Errorf("%q: got %t, %v", answer, allowed, err)
		}
	})
}
