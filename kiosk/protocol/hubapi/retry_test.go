package hubapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// busyHub answers 503 with Retry-After for the first requests.
type busyHub struct {
	busy   int    // requests that it answers with 503
	after  string // seconds; "" for 2
	bodies []string
}

func (h *busyHub) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	h.bodies = append(h.bodies, string(body))
	answer := func(status int, media, text string) *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {media}}, Body: io.NopCloser(strings.NewReader(text))}
	}
	if len(h.bodies) <= h.busy {
		resp := answer(http.StatusServiceUnavailable, MediaProblem, `{"type":"urn:smartkiosk:problem:not-ready","title":"not ready"}`)
		resp.Header.Set("Retry-After", cmp.Or(h.after, "2"))
		return resp, nil
	}
	switch r.URL.Path {
	case "/v1/challenges":
		return answer(http.StatusCreated, "application/json", `{"nonce":"n"}`), nil
	case "/v1/known":
		return answer(http.StatusOK, "application/json", `{"known":{}}`), nil
	case "/v1/feed/office/ack":
		return answer(http.StatusNoContent, "", ""), nil
	}
	return answer(http.StatusOK, MediaEvents, `[]`), nil
}

func TestClientRetriesOn503(t *testing.T) {
	for name, call := range map[string]func(context.Context, *Client) error{
		"challenge":   func(ctx context.Context, c *Client) error { _, err := c.Challenge(ctx); return err },
		"feed":        func(ctx context.Context, c *Client) error { _, _, err := c.Feed(ctx, "office", 1, 0); return err },
		"acknowledge": func(ctx context.Context, c *Client) error { return c.AckFeed(ctx, "office", "7") },
		"policy":      func(ctx context.Context, c *Client) error { _, err := c.Policy(ctx, ""); return err },
		"known":       func(ctx context.Context, c *Client) error { _, _, err := c.Known(ctx, ""); return err },
		"CRL set":     func(ctx context.Context, c *Client) error { _, err := c.CRLSet(ctx, "0"); return err },
	} {
		synctest.Test(t, func(t *testing.T) {
			hub := &busyHub{busy: 2}
			c := &Client{base: "https://hub", http: &http.Client{Transport: hub}, visits: &http.Client{Transport: hub}}
			began := time.Now()
			if err := call(t.Context(), c); err != nil || time.Since(began) != 4*time.Second {
				t.Errorf("%s: after %s: %v; want success after 4s", name, time.Since(began), err)
			}
			if n := len(hub.bodies); n != 3 || hub.bodies[2] != hub.bodies[0] {
				t.Errorf("%s: the hub got the bodies %q", name, hub.bodies)
			}

			// If there is no time for another attempt, the hub's answer is returned at
			// once.
			short, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			hub.busy, began = 10, time.Now()
			problem, ok := errors.AsType[*Problem](call(short, c))
			if !ok || problem.Type != KindNotReady || time.Since(began) != 0 {
				t.Errorf("%s: without time for a retry: %v after %s", name, problem, time.Since(began))
			}
		})
	}
}

// A visit's request does not wait for long.
func TestChallengeIsRetriedBriefly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := &busyHub{busy: 10}
		c := &Client{base: "https://hub", http: &http.Client{Transport: hub}, visits: &http.Client{Transport: hub}}
		began := time.Now()
		_, err := c.Challenge(t.Context())
		problem, ok := errors.AsType[*Problem](err)
		if !ok || problem.Type != KindNotReady || time.Since(began) != 4*time.Second {
			t.Errorf("%v after %s, want the hub's answer after 4s", err, time.Since(began))
		}
	})
}

// The client waits for as long as Retry-After says, at most a minute, but not beyond the
// patience of a visit or the end of its context.
func TestRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		after   string
		visit   bool
		context time.Duration // 0 for no end
		want    time.Duration // 0 if it does not retry
	}{
		{"1", false, 0, time.Second},
		{"60", false, 0, time.Minute},
		{"61", false, 0, time.Minute},
		{"65535", false, 0, time.Minute},
		{"65536", false, 0, 0},
		{"-1", false, 0, 0},
		{"Sun, 22 Nov 2026 12:00:00 GMT", false, 0, 0},
		{"5", true, 0, 5 * time.Second},
		{"6", true, 0, 0},
		{"3", false, 3 * time.Second, 0},
		{"3", false, 3*time.Second + 1, 3 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			hub := &busyHub{busy: 1, after: tt.after}
			c := &Client{base: "https://hub", http: &http.Client{Transport: hub}, visits: &http.Client{Transport: hub}}
			ctx := t.Context()
			if tt.context > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.context)
				defer cancel()
			}
			call := func() error { return c.AckFeed(ctx, "office", "7") }
			if tt.visit {
				call = func() error { _, err := c.Challenge(ctx); return err }
			}
			began := time.Now()
			if err := call(); time.Since(began) != tt.want || (err == nil) != (tt.want > 0) {
				t.Errorf("%+v: %v after %s", tt, err, time.Since(began))
			}
		})
	}
}

// The client must not retry some requests: the hub may have spent the nonce, and the pusher
// decides itself when to send events again.
func TestClientSendsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := &busyHub{busy: 10}
		c := &Client{base: "https://hub", http: &http.Client{Transport: hub}, visits: &http.Client{Transport: hub}}
		if _, err := c.Authenticate(t.Context(), "v", "n", []byte(`{}`)); err == nil {
			t.Error("Authenticate: no error")
		}
		if _, err := c.SendEvents(t.Context(), []json.RawMessage{json.RawMessage(`{}`)}); err == nil {
			t.Error("SendEvents: no error")
		}
		if len(hub.bodies) != 2 {
			t.Errorf("the hub got %d requests, want 2", len(hub.bodies))
		}
	})
}
