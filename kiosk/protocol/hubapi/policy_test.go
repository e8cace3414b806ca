package hubapi

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestClientPolicy(t *testing.T) {
	x := exchange{status: 200, answer: "a.b.c"}
	c := hub(t, &x)
	if got, err := c.Policy(t.Context(), ""); got != "a.b.c" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	x.saw(t, "GET /v1/kiosk", "", "")
	if got, sent := x.sent["If-None-Match"]; sent {
		t.Errorf("without a version the client asked for other policies than %q", got)
	}
	x.status, x.answer = 304, ""
	if got, err := c.Policy(t.Context(), "v1"); got != "" || err != nil {
		t.Errorf("unchanged: got %q, %v", got, err)
	}
	if got := x.sent.Get("If-None-Match"); got != `"v1"` {
		t.Errorf("with a version the client asked for other policies than %q", got)
	}
	// The hub answers 304 Not Modified to a request without a version.
	if got, err := c.Policy(t.Context(), ""); err == nil {
		t.Errorf("unchanged from nothing: got %q", got)
	}
	x.status, x.answer = 200, strings.Repeat("x", maxPolicy+1)
	if _, err := c.Policy(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("endless policy: %v", err)
	}
	x.status, x.answer = 503, "busy"
	if _, err := c.Policy(t.Context(), "v1"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a hub that cannot: %v", err)
	}
}

func TestClientKnown(t *testing.T) {
	x := exchange{status: 200, answer: `{"known":{"00ff":20000}}`, header: http.Header{"Etag": {`"t"`}}}
	c := hub(t, &x)
	days, tag, err := c.Known(t.Context(), "")
	if err != nil || tag != `"t"` || !maps.Equal(days, map[string]int64{"00ff": 20000}) {
		t.Errorf("got %v, %s, %v", days, tag, err)
	}
	x.saw(t, "GET /v1/known", "", "")
	x.status, x.answer = 304, ""
	if days, again, err := c.Known(t.Context(), tag); days != nil || again != tag || err != nil {
		t.Errorf("unchanged: got %v, %s, %v", days, again, err)
	}
	for status, answer := range map[int]string{304: "", 200: "[]", 403: "{}"} {
		x.status, x.answer = status, answer
		if days, _, err := c.Known(t.Context(), ""); err == nil {
			t.Errorf("%d %q: got %v", status, answer, days)
		}
	}
}

func TestClientCRLSet(t *testing.T) {
	x := exchange{status: 200, answer: "set"}
	c := hub(t, &x)
	body, err := c.CRLSet(t.Context(), "00ff")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(body)
	if string(text) != "set" || err != nil || body.Close() != nil {
		t.Errorf("got %q, %v", text, err)
	}
	x.saw(t, "GET /v1/crls/00ff", "", "")
	x.status = 404
	if _, err := c.CRLSet(t.Context(), "00ff"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a set that there is not: %v", err)
	}
}

// Every answer reports the time of the hub's clock, a refusal too, and the time that a CA
// has signed if the hub knows one.
func TestClientHears(t *testing.T) {
	x := exchange{status: 503, header: http.Header{"Date": {"Sun, 22 Nov 2026 12:00:00 GMT"}}}
	c := hub(t, &x)
	var heard, signed []time.Time
	c.Heard = func(at time.Time) { heard = append(heard, at) }
	c.Signed = func(at time.Time) { signed = append(signed, at) }
	_, _ = c.Policy(t.Context(), "")
	_, _ = c.Challenge(t.Context())
	x.header.Set("Date", "noon")
	x.header.Set(SignedTimeHeader, "Sun, 22 Nov 2026 11:59:00 GMT")
	_, _ = c.Challenge(t.Context())
	want := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	if len(heard) != 2 || !heard[0].Equal(want) || !heard[1].Equal(want) {
		t.Errorf("heard %v", heard)
	}
	if len(signed) != 1 || !signed[0].Equal(want.Add(-time.Minute)) {
		t.Errorf("heard of the signed times %v", signed)
	}
}
