package hubapi

import (
	"bytes"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
)

// line is what events go over to the hub. They are packed (RFC 1952), unless the
// line is fast: a Pi packs 20 MB a second, by a quarter, so that beyond 5 MB it
// takes longer than it saves; and to unpack it the hub takes more of its processors
// than to read it.
type line struct {
	fast atomic.Bool // as the last large batch went
}

const (
	fastLine    = 5 << 20   // bytes a second
	tellingSize = 256 << 10 // bytes of a batch that buffers alone do not swallow
)

// encode gives a batch as a request's body, and its Content-Encoding.
func (l *line) encode(events []json.RawMessage) (body []byte, encoding string, err error) {
	size := len("[]")
	for _, e := range events {
		size += len(e) + len(",")
	}
	var array bytes.Buffer
	array.Grow(size)
	array.WriteByte('[')
	for i, e := range events {
		if i > 0 {
			array.WriteByte(',')
		}
		array.Write(e)
	}
	array.WriteByte(']')
	if l.fast.Load() {
		return array.Bytes(), "", nil
	}
	// What is sealed is base64, of which Huffman's code takes a quarter away;
	// there is nothing more to find.
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.HuffmanOnly)
	if err != nil {
		return nil, "", err
	}
	_, _ = w.Write(array.Bytes()) // Close says what went wrong before it
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return packed.Bytes(), "gzip", nil
}

// carried notes that the line took so many bytes in so long.
func (l *line) carried(size int, took time.Duration) {
	if size >= tellingSize {
		l.fast.Store(float64(size) > fastLine*took.Seconds())
	}
}
