package hubapi

import (
	"encoding/json"
	"io"
	"net/http/httptrace"
	"testing"
	"testing/synctest"
	"time"
)

// TestFastLine: batches are packed until the line has carried a large one quickly,
// and again when it has become slow. Small ones, which buffers swallow, say nothing.
func TestFastLine(t *testing.T) {
	x := exchange{status: 200, answer: `{"acknowledged":1}`}
	c := hub(t, &x)
	batch := []json.RawMessage{json.RawMessage(`{"id":"a"}`), json.RawMessage(`7`)}
	for _, tt := range []struct {
		size int
		took time.Duration
		want string
	}{
		{tellingSize, time.Minute, "gzip"},
		{tellingSize - 1, 0, "gzip"},
		{2 << 20, 300 * time.Millisecond, ""},
		{1000, time.Minute, ""},
		{2 << 20, 500 * time.Millisecond, "gzip"},
	} {
		c.line.carried(tt.size, tt.took)
		if _, err := c.SendEvents(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		x.saw(t, "POST /v1/events", MediaEvents, `[{"id":"a"},7]`)
		if x.encoding != tt.want {
			t.Errorf("after %d bytes in %v the encoding is %q, want %q", tt.size, tt.took, x.encoding, tt.want)
		}
	}
}

// TestLineIsWatched: what is sent says how fast the line is, whose answer is not
// waited for.
func TestLineIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l line
		trace := httptrace.ContextClientTrace(l.watch(t.Context(), 10<<20))
		trace.GotConn(httptrace.GotConnInfo{})
		time.Sleep(time.Second)
		trace.WroteRequest(httptrace.WroteRequestInfo{Err: io.ErrUnexpectedEOF})
		if l.fast.Load() {
			t.Error("a line that broke is fast")
		}
		trace.WroteRequest(httptrace.WroteRequestInfo{})
		if !l.fast.Load() {
			t.Error("10 MiB in a second are not fast")
		}
		trace.GotConn(httptrace.GotConnInfo{Reused: true})
		time.Sleep(3 * time.Second)
		trace.WroteRequest(httptrace.WroteRequestInfo{})
		if l.fast.Load() {
			t.Error("10 MiB in three seconds are fast")
		}
	})
}
