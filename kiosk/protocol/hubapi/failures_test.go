package hubapi

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// calls are all requests of a client.
var calls = map[string]func(context.Context, *Client) error{
	"challenge": func(ctx context.Context, c *Client) error { _, err := c.Challenge(ctx); return err },
	"authenticate": func(ctx context.Context, c *Client) error {
		_, err := c.Authenticate(ctx, "v", "n", []byte(`{}`))
		return err
	},
	"send": func(ctx context.Context, c *Client) error {
		_, err := c.SendEvents(ctx, []json.RawMessage{[]byte(`{}`)})
		return err
	},
	"feed":        func(ctx context.Context, c *Client) error { _, _, err := c.Feed(ctx, "office", 1, 0); return err },
	"acknowledge": func(ctx context.Context, c *Client) error { return c.AckFeed(ctx, "office", "7") },
	"policy":      func(ctx context.Context, c *Client) error { _, err := c.Policy(ctx, "v1"); return err },
	"known":       func(ctx context.Context, c *Client) error { _, _, err := c.Known(ctx, "t1"); return err },
	"CRL set":     func(ctx context.Context, c *Client) error { _, err := c.CRLSet(ctx, "0"); return err },
	"login":       func(ctx context.Context, c *Client) error { _, err := c.BeginLogin(ctx, "v", "nb"); return err },
	"page login":  func(ctx context.Context, c *Client) error { _, err := c.BeginPageLogin(ctx, "v", "nb"); return err },
	"cancel":      func(ctx context.Context, c *Client) error { return c.CancelLogin(ctx, "l") },
	"setup":       func(ctx context.Context, c *Client) error { _, err := c.Setup(ctx); return err },
}

// answers is a hub that gives every request the same answer.
type answers func(r *http.Request) (*http.Response, error)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

func clientOf(a answers) *Client {
	return &Client{base: "https://hub", http: &http.Client{Transport: a}, visits: &http.Client{Transport: a}}
}

func answerOf(status int, body io.Reader) answers {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body)}, nil
	}
}

// Whatever goes wrong with a request, the caller gets an error that names the request.
func TestClientFails(t *testing.T) {
	broken := errors.New("broken")
	for name, call := range calls {
		for what, a := range map[string]answers{
			"no hub":              func(*http.Request) (*http.Response, error) { return nil, broken },
			"an unexpected 418":   answerOf(http.StatusTeapot, strings.NewReader("{}")),
			"an answer cut short": answerOf(http.StatusOK, iotest.ErrReader(broken)),
		} {
			if name == "CRL set" && what == "an answer cut short" {
				continue // the caller reads it
			}
			err := call(t.Context(), clientOf(a))
			if err == nil || !strings.HasPrefix(err.Error(), "cannot ") || what == "no hub" && !errors.Is(err, broken) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		c := clientOf(nil)
		c.base = "https://a b"
		if err := call(t.Context(), c); err == nil {
			t.Errorf("%s: asked a URL with a space", name)
		}
	}
	for _, name := range []string{"send", "feed", "known"} {
		if err := calls[name](t.Context(), clientOf(answerOf(http.StatusOK, strings.NewReader("[{")))); err == nil {
			t.Errorf("%s: read half an answer", name)
		}
	}
	if err := calls["challenge"](t.Context(), clientOf(answerOf(http.StatusCreated, strings.NewReader("[{")))); err == nil || !strings.Contains(err.Error(), "cannot read the hub's answer") {
		t.Errorf("challenge: %v", err)
	}
}

// The answer 304 counts only for a request that names a version.
func TestNotModified(t *testing.T) {
	for _, version := range []string{"", "v1"} {
		c := clientOf(func(r *http.Request) (*http.Response, error) {
			if sent := r.Header.Get("If-None-Match"); !strings.Contains(sent, version) || (sent == "") != (version == "") {
				t.Errorf("after %q the client sends If-None-Match %q", version, sent)
			}
			return answerOf(http.StatusNotModified, strings.NewReader(""))(r)
		})
		if jws, err := c.Policy(t.Context(), version); (err == nil) != (version != "") || jws != "" {
			t.Errorf("policy after %q: %q, %v", version, jws, err)
		}
		if days, tag, err := c.Known(t.Context(), version); (err == nil) != (version != "") || tag != version || days != nil {
			t.Errorf("known after %q: %v, %q, %v", version, days, tag, err)
		}
	}
}

// An answer may be as long as its bound.
func TestAnswerBounds(t *testing.T) {
	for name, bound := range map[string]int{"policy": maxPolicy, "setup": MaxSetup, "feed": MaxEventsBody} {
		text := "[]" + strings.Repeat(" ", bound-2)
		if err := calls[name](t.Context(), clientOf(answerOf(http.StatusOK, strings.NewReader(text)))); err != nil {
			t.Errorf("%s of %d bytes: %v", name, bound, err)
		}
		if err := calls[name](t.Context(), clientOf(answerOf(http.StatusOK, strings.NewReader(text+" ")))); err == nil || !strings.Contains(err.Error(), "too long") {
			t.Errorf("%s of one byte more: %v", name, err)
		}
	}
}

// Every request names this start of the program, and every answer may name another machine.
func TestInstanceAndTwin(t *testing.T) {
	for name, call := range calls {
		var sent string
		c := clientOf(func(r *http.Request) (*http.Response, error) {
			sent = r.Header.Get(InstanceHeader)
			return &http.Response{StatusCode: http.StatusTeapot, Header: http.Header{TwinHeader: {"192.0.2.7"}}, Body: io.NopCloser(strings.NewReader(""))}, nil
		})
		_ = call(t.Context(), c)
		if sent != "" {
			t.Errorf("%s: the header is %q", name, sent)
		}
		var twin string
		c.Instance, c.Twin = NewInstance(), func(other string) { twin = other }
		_ = call(t.Context(), c)
		if sent != c.Instance || twin != "192.0.2.7" {
			t.Errorf("%s: the header is %q, the twin %q", name, sent, twin)
		}
	}
	if a, b := NewInstance(), NewInstance(); a == b || !ValidInstance(a) || len(a) != 2*instanceBytes {
		t.Errorf("instances %q and %q", a, b)
	}
	for _, s := range []string{"", strings.Repeat("0", 2*instanceBytes-2), strings.Repeat("0", 2*instanceBytes+2), strings.Repeat("x", 2*instanceBytes)} {
		if ValidInstance(s) {
			t.Errorf("%q is valid", s)
		}
	}
}

// Only requests with events carry the former certificates.
func TestFormerIsSentWithEvents(t *testing.T) {
	for name, call := range calls {
		var header http.Header
		c := clientOf(func(r *http.Request) (*http.Response, error) { header = r.Header; return nil, errors.New("x") })
		_ = call(t.Context(), c)
		if header[FormerHeader] != nil {
			t.Errorf("%s: %v", name, header)
		}
		c.Former = [][]byte{{1, 2, 3}}
		_ = call(t.Context(), c)
		if got := header.Get(FormerHeader); (got == encodeFormer(c.Former)) != (name == "send") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestPullQuery(t *testing.T) {
	since := time.Date(2026, 11, 22, 13, 0, 0, 5, time.FixedZone("", 3600))
	for want, p := range map[string]Pull{
		"max=7&wait=0":         {Max: 7},
		"after=0&max=7&wait=3": {Max: 7, Wait: 3900 * time.Millisecond, After: Beginning},
		"max=7&since=2026-11-22T12%3A00%3A00.000000005Z&wait=0": {Max: 7, Since: since},
		"domain=d&kiosk=k1&kiosk=k2&max=7&type=t&wait=0":        {Max: 7, Types: []string{"t"}, Kiosks: []string{"k1", "k2"}, Domains: []string{"d"}},
	} {
		if got := p.Query().Encode(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Reach makes a TLS connection and sends nothing.
func TestReach(t *testing.T) {
	x := exchange{status: 200}
	c := hub(t, &x)
	if err := c.Reach(t.Context()); err != nil || x.request != "" {
		t.Errorf("reached: %v, the hub saw %q", err, x.request)
	}
	for name, base := range map[string]string{"no TLS certificate that it trusts": c.base, "a URL with a space": "https://a b", "no hub": "https://127.0.0.1:1"} {
		other := NewClient(base, &tls.Config{})
		if err := other.Reach(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "cannot reach the hub: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := NewClient("https://hub.invalid", &tls.Config{}).Reach(stopped); err == nil {
		t.Error("reached after the end")
	}
	_, err := net.Dial("tcp", "127.0.0.1:443")
	if got := NewClient("https://127.0.0.1", &tls.Config{InsecureSkipVerify: true}).Reach(t.Context()); (got == nil) != (err == nil) || got != nil && !strings.Contains(got.Error(), "127.0.0.1:443") {
		t.Errorf("without a port: %v", got)
	}
}

// The connections of visits are closed by Forget, so that the next request needs a new one.
func TestForget(t *testing.T) {
	x := exchange{status: 201, answer: "{}"}
	c := hub(t, &x)
	dials := 0
	transport := c.visits.Transport.(*http.Transport)
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	for i, want := range []int{1, 1, 2} {
		if i == 2 {
			c.Forget()
		}
		if _, err := c.Challenge(t.Context()); err != nil || dials != want {
			t.Errorf("request %d: %d connections, %v", i, dials, err)
		}
	}
}

// A retry ends with the caller's context.
func TestRetryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := &busyHub{busy: 10}
		c := &Client{base: "https://hub", http: &http.Client{Transport: busy}, visits: &http.Client{Transport: busy}}
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, stop)
		began := time.Now()
		_, err := c.Challenge(ctx)
		if !errors.Is(err, context.Canceled) || time.Since(began) != 3*time.Second || len(busy.bodies) != 2 {
			t.Errorf("%v after %s, %d requests", err, time.Since(began), len(busy.bodies))
		}
	})
	for text, want := range map[string]time.Duration{"0": 0, "2": 2 * time.Second, "60": time.Minute, "61": time.Minute, "65535": time.Minute, "65536": -1, "-1": -1, "": -1, "soon": -1} {
		got, ok := retryAfter(&http.Response{Header: http.Header{"Retry-After": {text}}})
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("Retry-After %q: %s, %v", text, got, ok)
		}
	}
}

// Before a retry the answer is read to its end and closed, so that the connection is used again.
func TestRetryReadsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := &readBody{Reader: strings.NewReader("not ready")}
		asked := 0
		c := clientOf(func(*http.Request) (*http.Response, error) {
			if asked++; asked > 1 {
				return &http.Response{StatusCode: http.StatusCreated, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
			}
			return &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"1"}}, Body: refused}, nil
		})
		if _, err := c.Challenge(t.Context()); err != nil || asked != 2 || refused.Len() > 0 || !refused.closed {
			t.Errorf("%d requests, %d bytes left, closed %v, %v", asked, refused.Len(), refused.closed, err)
		}
	})
}

type readBody struct {
	*strings.Reader
	closed bool
}

func (b *readBody) Close() error { b.closed = true; return nil }
