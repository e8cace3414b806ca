package apihttp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
)

func TestReadPull(t *testing.T) {
	for query, want := range map[string]hubapi.Pull{
		"":                {Max: hubapi.DefaultFeedBatch},
		"?max=1":          {Max: 1},
		"?max=1000":       {Max: 1000},
		"?wait=60":        {Max: hubapi.DefaultFeedBatch, Wait: time.Minute},
		"?max=2&wait=0":   {Max: 2},
		"?max=0":          {},
		"?max=1001":       {},
		"?max=-1":         {},
		"?max=":           {},
		"?wait=61":        {},
		"?wait=1s":        {},
		"?max=5&wait=":    {},
		"?max=99999&max=": {},
		"?max=5&max=6":    {},
		"?type=x":         {}, // only a hub filters
		"?Max=5":          {},
		"?max=5;wait=1":   {},
	} {
		got, err := apihttp.ReadPull(httptest.NewRequest(http.MethodGet, "/"+query, nil))
		if want.Max == 0 {
			if p, ok := errors.AsType[*hubapi.Problem](err); !ok || p.Status != http.StatusBadRequest {
				t.Errorf("%s: %v, %v", query, got, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v, want %v", query, got, err, want)
		}
	}
}

// A hub reads filters and places. It says what is wrong with a parameter, so that a
// misspelled filter never returns the wrong events.
func TestReadSelection(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for query, want := range map[string]hubapi.Pull{
		"":                                   {Max: hubapi.DefaultFeedBatch},
		"after=7.3%40kf12ab":                 {Max: hubapi.DefaultFeedBatch, After: "7.3@kf12ab"},
		"since=2026-11-29T12:00:00Z&max=2":   {Max: 2, Since: at},
		"type=a&type=b&kiosk=k1&domain=test": {Max: hubapi.DefaultFeedBatch, Types: []string{"a", "b"}, Kiosks: []string{"k1"}, Domains: []string{"test"}},
	} {
		got, err := apihttp.ReadSelection(httptest.NewRequest(http.MethodGet, "/?"+query, nil))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", query, got, err, want)
		}
		again, err := apihttp.ReadSelection(httptest.NewRequest(http.MethodGet, "/?"+want.Query().Encode(), nil))
		if err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%s: the client's query is read as %+v, %v", query, again, err)
		}
	}
	for query, want := range map[string]string{
		"typ=a":                         `the parameter "typ" is unknown; known are: max, wait, after, since, type, kiosk, domain`,
		"max=0":                         "max must be a number from 1 to 1000",
		"after=1&since=2026-11-29":      "the parameters after and since exclude each other",
		"since=2026-11-29":              "since must be a time in RFC 3339, for example 2026-11-29T12:00:00Z",
		"after=":                        "the cursor was not issued by this feed",
		"after=1&after=2":               "the parameter after stands more than once",
		"kiosk=":                        "kiosk must have 1 to 100 values that are not empty",
		strings.Repeat("type=a&", 101):  "type must have 1 to 100 values that are not empty",
		"%zz":                           "the query of the address cannot be read",
		strings.Repeat("x", 100) + "=1": `the parameter "` + strings.Repeat("x", 40) + `" is unknown; known are: max, wait, after, since, type, kiosk, domain`,
	} {
		_, err := apihttp.ReadSelection(httptest.NewRequest(http.MethodGet, "/?"+query, nil))
		if p, ok := errors.AsType[*hubapi.Problem](err); !ok || p.Status != http.StatusBadRequest || p.Detail != want {
			t.Errorf("%.40s: %v, want %q", query, err, want)
		}
	}
}

func TestBatchIsBounded(t *testing.T) {
	b := apihttp.Batch{Max: 3}
	if got := string(b.Array()); got != "[]" {
		t.Errorf("an empty batch is %s", got)
	}
	for range 3 {
		if b.Full() || !b.Add([]byte("{}")) {
			t.Fatalf("a batch of %d is full", b.Len())
		}
	}
	if !b.Full() || b.Add([]byte("{}")) || b.Len() != 3 {
		t.Errorf("a batch of 3 took a fourth event")
	}
	if got := string(b.Array()); got != "[{},{},{}]" {
		t.Errorf("got %s", got)
	}

	// A batch holds exactly as many bytes as an answer may have, and not one more.
	for _, over := range []int{0, 1} {
		b := apihttp.Batch{Max: 10}
		first := bytes.Repeat([]byte("1"), 1000)
		second := bytes.Repeat([]byte("2"), hubapi.MaxEventsBody-1000-len("[,]")+over)
		if !b.Add(first) || b.Add(second) != (over == 0) {
			t.Errorf("%d bytes too many: the batch has %d events", over, b.Len())
		}
		if got := len(b.Array()); got > hubapi.MaxEventsBody {
			t.Errorf("the answer has %d bytes", got)
		}
	}
	// An event that is larger than the limit of an answer is the only one in its batch.
	b = apihttp.Batch{Max: 10}
	if !b.Add(make([]byte, hubapi.MaxEventsBody+1)) || b.Add([]byte("1")) {
		t.Error("the first event must always fit, and be alone when it is too large")
	}
}

func TestReadJSON(t *testing.T) {
	for body, want := range map[string]string{
		`{"cursor":"7"}`:                  "",
		` {"cursor" : "7"} `:              "",
		`{"Cursor":"7"}`:                  "cursor is missing",
		`{}`:                              "cursor is missing",
		`{"cursor":null}`:                 "cursor is of the wrong type",
		`{"cursor":7}`:                    "cursor is of the wrong type",
		`{"cursor":"7","x":1}`:            "the body has members that the API does not know",
		`["cursor"]`:                      "the body is no JSON object",
		`{"cursor":"7"} 1`:                "the body is no JSON object",
		strings.Repeat(" ", 65<<10) + "1": "the body is too large",
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		cursor, err := apihttp.ReadCursor(r)
		p, _ := errors.AsType[*hubapi.Problem](err)
		if want == "" && (err != nil || cursor != "7") || want != "" && (p == nil || p.Detail != want) {
			t.Errorf("%.40s: %q, %v, want %q", body, cursor, err, want)
		}
	}
}

func TestWriteProblem(t *testing.T) {
	for _, wait := range []time.Duration{0, 3 * time.Second} {
		p := apihttp.Internal()
		p.Wait = wait
		w := httptest.NewRecorder()
		apihttp.WriteProblem(w, p)
		var got hubapi.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Type != hubapi.KindInternal {
			t.Errorf("%s, %v", w.Body, err)
		}
		h := w.Result().Header
		if w.Code != http.StatusInternalServerError || h.Get("Content-Type") != hubapi.MediaProblem || h.Get("Cache-Control") != "no-store" {
			t.Errorf("status %d, header %v", w.Code, h)
		}
		if after := h.Get("Retry-After"); after != map[time.Duration]string{0: "", 3 * time.Second: "3"}[wait] {
			t.Errorf("wait %v: Retry-After %q", wait, after)
		}
	}
}

func TestWrite(t *testing.T) {
	w := httptest.NewRecorder()
	b := &apihttp.Batch{Max: 2}
	if b.Size() != 0 || b.Full() || !b.Add([]byte("1")) || !b.Add([]byte("22")) || b.Add([]byte("3")) || b.Size() != len("[1,22") || b.Len() != 2 {
		t.Errorf("%d events, %d bytes", b.Len(), b.Size())
	}
	b.Write(w, "77")
	if w.Code != http.StatusOK || w.Body.String() != "[1,22]" || w.Header().Get(hubapi.CursorHeader) != "77" || w.Header().Get("Content-Type") != hubapi.MediaEvents || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	w = httptest.NewRecorder()
	if err := apihttp.WriteJSON(w, http.StatusCreated, map[string]int{"a": 1}); err != nil || w.Code != http.StatusCreated || w.Body.String() != `{"a":1}` || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %s %v, %v", w.Code, w.Body, w.Header(), err)
	}
	w = httptest.NewRecorder()
	if err := apihttp.WriteJSON(w, http.StatusCreated, func() {}); err == nil || w.Body.Len() > 0 {
		t.Errorf("%s, %v", w.Body, err)
	}
}
