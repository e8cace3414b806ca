package hubapi

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk"
)

// exchange is a request as the hub received it, and the hub's answer.
type exchange struct {
	request, media, body, encoding string
	sent                           http.Header
	status                         int
	header                         http.Header
	answer                         string
}

// hub starts a server that sends the answer in x and records the request there.
func hub(t *testing.T, x *exchange) *Client {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			packed, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			text = packed
		}
		x.sent = r.Header.Clone()
		body, err := io.ReadAll(text)
		if err != nil {
			t.Error(err)
		}
		x.request, x.media, x.body = r.Method+" "+r.URL.RequestURI(), r.Header.Get("Content-Type"), string(body)
		x.encoding = r.Header.Get("Content-Encoding")
		for k, v := range x.header {
			w.Header()[k] = v
		}
		w.WriteHeader(x.status)
		io.WriteString(w, x.answer)
	}))
	t.Cleanup(srv.Close)
	config := srv.Client().Transport.(*http.Transport).TLSClientConfig
	return NewClient(srv.URL+"/", &tls.Config{RootCAs: config.RootCAs})
}

func (x *exchange) saw(t *testing.T, request, media, body string) {
	t.Helper()
	if x.request != request || x.media != media || x.body != body {
		t.Errorf("the hub saw %s, %q, %s\nwant         %s, %q, %s", x.request, x.media, x.body, request, media, body)
	}
}

func TestClientChallenge(t *testing.T) {
	x := exchange{status: 201, answer: `{"nonce":"AAAA","expires_at":"2026-03-01T10:05:00Z","verdict_within":1.5}`}
	got, err := hub(t, &x).Challenge(t.Context())
	want := Challenge{"AAAA", time.Date(2026, 3, 1, 10, 5, 0, 0, time.UTC), 1.5}
	if err != nil || got != want {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	x.saw(t, "POST /v1/challenges", "", "")
}

func TestClientAuthenticate(t *testing.T) {
	holder := kiosk.Holder{ID: "UN:NO-9578-4050-100001", Name: "Kari Prøve"}
	for answer, want := range map[string]kiosk.Verdict{
		`{"verdict":"granted","holder":{"id":"UN:NO-9578-4050-100001","name":"Kari Prøve"},"valid_for":30}`: {Granted: true, Holder: holder},
		`{"verdict":"denied","reason":"revoked"}`:                                                           {Reason: kiosk.Revoked},
	} {
		x := exchange{status: 200, answer: answer}
		got, err := hub(t, &x).Authenticate(t.Context(), "v1", "n1", []byte(`{"a": 1}`))
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", answer, got, err, want)
		}
		x.saw(t, "POST /v1/authentications", "application/json", `{"visit":"v1","nonce":"n1","token":{"a":1}}`)
	}
}

// The client returns an error for every answer that is neither granted nor denied.
func TestClientAuthenticateTakesNoOtherVerdict(t *testing.T) {
	for _, answer := range []string{`{}`, `{"verdict":"perhaps"}`, `{"granted":true}`, `null`, `[`, ``} {
		x := exchange{status: 200, answer: answer}
		got, err := hub(t, &x).Authenticate(t.Context(), "v", "n", []byte(`{}`))
		if err == nil || got.Granted {
			t.Errorf("%s: got %v, %v", answer, got, err)
		}
	}
}

func TestClientSendEvents(t *testing.T) {
	x := exchange{status: 200, answer: `{"epoch":"e1","acknowledged":12,"conflict":true,"missing":[{"epoch":"e0","from":3,"through":4}]}`}
	got, err := hub(t, &x).SendEvents(t.Context(), []json.RawMessage{json.RawMessage(`{"id":"a"}`), json.RawMessage(`{"id":"b"}`)})
	want := Acknowledgement{Epoch: "e1", Acknowledged: 12, Conflict: true, Missing: []LostEvents{{Epoch: "e0", From: 3, Through: 4}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	x.saw(t, "POST /v1/events", MediaEvents, `[{"id":"a"},{"id":"b"}]`)
	if x.encoding != "gzip" {
		t.Errorf("the events were packed by %q", x.encoding)
	}
}

func TestClientFeed(t *testing.T) {
	x := exchange{status: 200, header: http.Header{CursorHeader: {"77"}}, answer: `[{"id":"a"},{"id":"b"}]`}
	events, cursor, err := hub(t, &x).Feed(t.Context(), "office", 10, 2500*time.Millisecond)
	if err != nil || cursor != "77" || asJSON(t, events) != `[{"id":"a"},{"id":"b"}]` {
		t.Errorf("got %s, %q, %v", asJSON(t, events), cursor, err)
	}
	x.saw(t, "GET /v1/feed/office?max=10&wait=2", "", "")

	x = exchange{status: 204}
	if err := hub(t, &x).AckFeed(t.Context(), "office", "77"); err != nil {
		t.Error(err)
	}
	x.saw(t, "POST /v1/feed/office/ack", "application/json", `{"cursor":"77"}`)
}

func TestClientGivesTheProblem(t *testing.T) {
	x := exchange{status: 409, header: http.Header{"Content-Type": {MediaProblem}},
		answer: `{"type":"urn:smartkiosk:problem:sequence-gap","title":"events are missing","status":409,"wanted":7,"has":[{"epoch":"e1","first":1,"last":6,"link":"bGluaw=="}]}`}
	_, err := hub(t, &x).SendEvents(t.Context(), nil)
	p, ok := errors.AsType[*Problem](err)
	if !ok || p.Type != KindGap || p.Wanted != 7 || !reflect.DeepEqual(p.Has, []Branch{{Epoch: "e1", First: 1, Last: 6, Link: []byte("link")}}) || !strings.HasPrefix(err.Error(), "cannot send events: ") {
		t.Errorf("got %v", err)
	}
	x.saw(t, "POST /v1/events", MediaEvents, `[]`)
}

// The client follows no redirect, because it could send a kiosk's events to somebody else.
func TestClientFollowsNoRedirect(t *testing.T) {
	x := exchange{status: 307, header: http.Header{"Location": {"https://127.0.0.1:1/"}}}
	_, err := hub(t, &x).Challenge(t.Context())
	if p, ok := errors.AsType[*Problem](err); !ok || p.Status != 307 {
		t.Errorf("got %v", err)
	}
}

func TestClientBoundsAnAnswer(t *testing.T) {
	x := exchange{status: 200, answer: strings.Repeat(" ", MaxEventsBody+1)}
	if _, _, err := hub(t, &x).Feed(t.Context(), "c", 1, 0); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("got %v", err)
	}
}

// The caller's context bounds how long the client waits for a verdict.
func TestClientGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClient("https://hub.invalid", &tls.Config{})
		c.visits.Transport = silent{}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		_, err := c.Challenge(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 2*time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

// silent is a hub that never answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}
