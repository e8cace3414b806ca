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

// Webhook is the operator's own system. The hub asks it about each holder whom the rules
// let in, and it has the last word. Requests are signed as in Standard Webhooks
// (specification 1.0, symmetric signatures), so that its libraries for many languages can
// verify them:
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
// The answer is 200 with a JSON object whose member decision is "allow" or "deny". Any
// other answer is a failure, and so is no answer within Timeout.
type Webhook struct {
	URL            string
	Timeout        time.Duration
	AllowOnFailure bool

	secret []byte
}

// Bounds of a webhook. The hub must give its verdict before the kiosk stops waiting
// (kiosk.DefaultTiming), so the operator's system has to be quicker still.
const (
	defaultTimeout = time.Second
	maxTimeout     = 1500 * time.Millisecond
	maxAnswer      = 4 << 10 // bytes
	minSecret      = 24      // bytes (Standard Webhooks, signature scheme)
	maxSecret      = 64
	secretPrefix   = "whsec_"
)

// webhookEntry is the table [webhook] of the file.
type webhookEntry struct {
	URL        string   `toml:"url"`
	SecretFile string   `toml:"secret_file"`
	Timeout    duration `toml:"timeout"`
	OnFailure  string   `toml:"on_failure"`
}

// duration is a time.Duration in the form "800ms".
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
		return nil, fmt.Errorf("on_failure = %q: write \"allow\" or \"deny\"", e.OnFailure)
	}
	if e.Timeout == 0 {
		w.Timeout = defaultTimeout
	}
	if w.Timeout <= 0 || w.Timeout > maxTimeout {
		return nil, fmt.Errorf("timeout = %q must be more than 0 and at most %s, because a person waits", w.Timeout, maxTimeout)
	}
	if e.SecretFile == "" {
		return nil, errors.New("secret_file is missing: it names the file with the key that signs requests")
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

// checkAddress requires https, because a request identifies a person. http is accepted for
// this machine itself.
func checkAddress(s string) error {
	u, err := url.Parse(s)
	if err == nil && u.Host != "" && u.User == nil {
		if u.Scheme == "https" || u.Scheme == "http" && net.ParseIP(u.Hostname()).IsLoopback() {
			return nil
		}
	}
	return fmt.Errorf("url = %q is not an https URL", s)
}

// Question is a request to a webhook.
type Question struct {
	ID    string // of the request; unique and unpredictable
	Visit string
	Case
	Rule string // the rule that let the holder in; "" if the default did
}

// question is the body of a request.
type question struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      admission `json:"data"`
}

// admission identifies the holder, and gives no name.
type admission struct {
	Visit   string `json:"visit"`
	Kiosk   string `json:"kiosk"`
	Subject string `json:"subject"`
	Domain  string `json:"domain"`
	Rule    string `json:"rule,omitempty"`
}

// Ask asks the webhook through transport whether to let the holder in. After an error
// AllowOnFailure decides.
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
		return false, fmt.Errorf("the answer is %s", response.Status)
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return false, err
	}
	if len(answer) > maxAnswer {
		return false, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
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

// readAnswer accepts a decision "allow" or "deny" and nothing else. It decodes into a map
// because a struct would also accept a member named "Decision".
func readAnswer(answer []byte) (allowed bool, err error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(answer, &members) != nil {
		return false, errors.New("the answer is not a JSON object")
	}
	switch string(members["decision"]) {
	case `"allow"`:
		return true, nil
	case `"deny"`:
		return false, nil
	}
	return false, errors.New(`the answer has no decision "allow" or "deny"`)
}
