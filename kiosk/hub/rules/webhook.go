package rules

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Webhook is the operator's own system, which is asked whether somebody whom
// the rules let in may come in. Requests are signed as Standard Webhooks
// has it (specification 1.0, symmetric signatures), so that its libraries for
// many languages verify them:
//
//	POST <url>
//	Content-Type: application/json
//	webhook-id: msg_…
//	webhook-timestamp: <seconds since 1970>
//	webhook-signature: v1,<base64 of HMAC-SHA256(secret, id "." timestamp "." body)>
//
//	{"type": "smartkiosk.admission.v1", "timestamp": "2026-11-22T12:00:00Z",
//	 "data": {"visit": "…", "kiosk": "k1", "subject": "UN:NO-…", "domain": "buypass", "rule": "day-shift"}}
//
// The answer is 200 with a JSON object whose member decision is "allow" or
// "deny". Whatever else is answered, and nothing in time, is a failure.
type Webhook struct {
	URL            string
	Timeout        time.Duration
	AllowOnFailure bool

	secret []byte
}

// Bounds of a webhook. A kiosk waits 2 s for its hub (kiosk.DefaultTiming),
// and decides by its offline rules when they are over: the operator's system
// has to be quicker.
const (
	defaultTimeout = time.Second
	maxTimeout     = 1500 * time.Millisecond
	maxAnswer      = 4 << 10 // bytes
	minSecret      = 24      // bytes (Standard Webhooks, signature scheme)
	maxSecret      = 64
	secretPrefix   = "whsec_"
)

// webhookEntry is the table [webhook].
type webhookEntry struct {
	URL        string   `toml:"url"`
	SecretFile string   `toml:"secret_file"`
	Timeout    duration `toml:"timeout"`
	OnFailure  string   `toml:"on_failure"`
}

// duration is a time.Duration that reads like "800ms".
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = duration(v)
	return err
}

func (e webhookEntry) read(dir string) (*Webhook, error) {
	w := &Webhook{URL: e.URL, Timeout: time.Duration(e.Timeout), AllowOnFailure: e.OnFailure == "allow"}
	if err := checkAddress(e.URL); err != nil {
		return nil, err
	}
	if e.OnFailure != "allow" && e.OnFailure != "deny" {
		return nil, fmt.Errorf("on_failure = %q: say \"allow\" or \"deny\"", e.OnFailure)
	}
	if e.Timeout == 0 {
		w.Timeout = defaultTimeout
	}
	if w.Timeout <= 0 || w.Timeout > maxTimeout {
		return nil, fmt.Errorf("timeout = %q: more than 0, and at most %s, as the person waits", w.Timeout, maxTimeout)
	}
	if e.SecretFile == "" {
		return nil, errors.New("secret_file is missing: the file with what requests are signed by")
	}
	name := e.SecretFile
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("secret_file: %w", err)
	}
	encoded, ok := strings.CutPrefix(strings.TrimSpace(string(text)), secretPrefix)
	if w.secret, err = base64.StdEncoding.DecodeString(encoded); !ok || err != nil || len(w.secret) < minSecret || len(w.secret) > maxSecret {
		return nil, fmt.Errorf("secret_file: %s does not hold %s and %d to %d bytes as base64", e.SecretFile, secretPrefix, minSecret, maxSecret)
	}
	return w, nil
}

// checkAddress wants https, as a request names a person; http will do to
// this machine itself.
func checkAddress(s string) error {
	u, err := url.Parse(s)
	if err == nil && u.Host != "" && u.User == nil {
		if u.Scheme == "https" || u.Scheme == "http" && net.ParseIP(u.Hostname()).IsLoopback() {
			return nil
		}
	}
	return fmt.Errorf("url = %q is no https URL", s)
}

// Question is what a webhook is asked.
type Question struct {
	ID    string // of the request, unique and not guessable
	Visit string
	Case
	Rule string // the rule that let the person in; "" if none did
}

// question is the body of a request.
type question struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      admission `json:"data"`
}

// admission tells of a person no more than what to look them up by.
type admission struct {
	Visit   string `json:"visit"`
	Kiosk   string `json:"kiosk"`
	Subject string `json:"subject"`
	Domain  string `json:"domain"`
	Rule    string `json:"rule,omitempty"`
}

// Ask asks through transport whether a person may come in. An error says that
// there was no answer of use; AllowOnFailure tells what then.
func (w *Webhook) Ask(ctx context.Context, transport http.RoundTripper, q Question) (allowed bool, err error) {
	if allowed, err = w.ask(ctx, transport, q); err != nil {
		return false, fmt.Errorf("cannot ask the operator's system: %w", err)
	}
	return allowed, nil
}

func (w *Webhook) ask(ctx context.Context, transport http.RoundTripper, q Question) (bool, error) {
	body, err := json.Marshal(question{
		Type: "smartkiosk.admission.v1", Timestamp: q.At.UTC(),
		Data: admission{Visit: q.Visit, Kiosk: q.Kiosk, Subject: q.Subject, Domain: q.Domain, Rule: q.Rule},
	})
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	w.sign(request.Header, q, body)
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return false, fmt.Errorf("it answered %s", response.Status)
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return false, err
	}
	if len(answer) > maxAnswer {
		return false, fmt.Errorf("its answer has more than %d bytes", maxAnswer)
	}
	return readAnswer(answer)
}

func (w *Webhook) sign(header http.Header, q Question, body []byte) {
	timestamp := strconv.FormatInt(q.At.Unix(), 10)
	mac := hmac.New(sha256.New, w.secret)
	fmt.Fprintf(mac, "%s.%s.%s", q.ID, timestamp, body)
	header.Set("Content-Type", "application/json")
	header.Set("Webhook-Id", q.ID)
	header.Set("Webhook-Timestamp", timestamp)
	header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// readAnswer takes a clear yes or no and nothing else. Its map lets no member
// pass for decision that is written in other letters.
func readAnswer(answer []byte) (allowed bool, err error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(answer, &members) != nil {
		return false, errors.New("its answer is no JSON object")
	}
	switch string(members["decision"]) {
	case `"allow"`:
		return true, nil
	case `"deny"`:
		return false, nil
	}
	return false, errors.New(`its answer has no decision, "allow" or "deny"`)
}
