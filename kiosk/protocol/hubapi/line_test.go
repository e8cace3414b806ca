package hubapi

import (
	"encoding/json"
	"testing"
	"time"
)

// TestFastLine checks that batches are compressed until the line has carried a large one
// quickly, and again after it has become slow. Small batches, which fit into the network's
// buffers, do not change that.
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
