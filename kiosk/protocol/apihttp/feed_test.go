package apihttp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
)

func TestReadPull(t *testing.T) {
	for query, want := range map[string]apihttp.Pull{
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
	} {
		got, err := apihttp.ReadPull(httptest.NewRequest(http.MethodGet, "/"+query, nil))
		if want.Max == 0 {
			if p, ok := errors.AsType[*hubapi.Problem](err); !ok || p.Status != http.StatusBadRequest {
				t.Errorf("%s: %v, %v", query, got, err)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", query, got, err, want)
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
