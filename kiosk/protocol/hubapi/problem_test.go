package hubapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func answer(status int, media, retryAfter string) *http.Response {
	h := http.Header{"Content-Type": {media}}
	if retryAfter != "" {
		h.Set("Retry-After", retryAfter)
	}
	return &http.Response{StatusCode: status, Header: h}
}

func TestReadProblem(t *testing.T) {
	two := 2
	tests := []struct {
		name string
		resp *http.Response
		body string
		want Problem
	}{
		{"a gap", answer(409, MediaProblem, ""),
			`{"type":"urn:smartkiosk:problem:sequence-gap","title":"events are missing","status":409,"wanted":7,"event":2}`,
			Problem{Type: KindGap, Title: "events are missing", Status: 409, Wanted: 7, Event: &two}},
		{"with a charset and time to wait", answer(503, MediaProblem+"; charset=utf-8", "3"),
			`{"type":"urn:smartkiosk:problem:not-ready","title":"not ready","status":503}`,
			Problem{Type: KindNotReady, Title: "not ready", Status: 503, Wait: 3 * time.Second}},
		{"the status line counts, not the body", answer(502, MediaProblem, ""),
			`{"type":"urn:smartkiosk:problem:internal","title":"internal error","status":200}`,
			Problem{Type: KindInternal, Title: "internal error", Status: 502}},
		{"a proxy's page", answer(502, "text/html", "soon"), `<h1>Bad Gateway</h1>`,
			Problem{Type: KindUnknown, Title: "the hub answered Bad Gateway", Status: 502}},
		{"a problem in a page", answer(502, "text/html", ""),
			`{"type":"urn:smartkiosk:problem:internal","title":"internal error","status":200}`,
			Problem{Type: KindUnknown, Title: "the hub answered Bad Gateway", Status: 502}},
		{"cut short", answer(500, MediaProblem, ""), `{"type":"urn`,
			Problem{Type: KindUnknown, Title: "the hub answered Internal Server Error", Status: 500}},
		{"without a title", answer(500, MediaProblem, ""), `{"type":"urn:x"}`,
			Problem{Type: KindUnknown, Title: "the hub answered Internal Server Error", Status: 500}},
		{"a negative time to wait", answer(503, MediaProblem, "-3"), `{}`,
			Problem{Type: KindUnknown, Title: "the hub answered Service Unavailable", Status: 503}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, want := ReadProblem(tt.resp, []byte(tt.body)), tt.want
			if g, w := asJSON(t, got), asJSON(t, &want); g != w || got.Wait != want.Wait {
				t.Errorf("got %s wait %v, want %s wait %v", g, got.Wait, w, want.Wait)
			}
		})
	}
}

func asJSON(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestProblemIsAnErrorWithATimeToWait(t *testing.T) {
	var err error = &Problem{Title: "not ready", Detail: "the store is away", Status: 503, Wait: time.Second}
	if want := "not ready: the store is away (HTTP status 503)"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if w, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err); !ok || w.RetryAfter() != time.Second {
		t.Error("the time to wait cannot be asked for")
	}
}

// Every answer, also that of a proxy or an attacker, becomes a problem that has the status
// from the wire and fits on a log line.
func FuzzReadProblem(f *testing.F) {
	f.Add(409, MediaProblem, "1", []byte(`{"type":"urn:smartkiosk:problem:sequence-gap","title":"t","status":409,"wanted":7}`))
	f.Add(502, "text/html", "", []byte(`<html>`))
	f.Add(503, MediaProblem, "99999999999", []byte(`{"title":"x","event":-1}`))
	f.Fuzz(func(t *testing.T, status int, media, retryAfter string, body []byte) {
		p := ReadProblem(answer(status, media, retryAfter), body)
		if p.Status != status || p.Wait < 0 || strings.TrimSpace(p.Error()) == "" {
			t.Errorf("got %#v", p)
		}
	})
}
