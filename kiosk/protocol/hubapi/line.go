package hubapi

import (
	"bytes"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
)

// line measures the connection over which events go to the hub. Batches are compressed (RFC
// 1952) unless the connection is fast. A Raspberry Pi compresses 20 MB a second and saves a
// quarter, so above 5 MB a second compression takes longer than it saves. It also costs the
// hub more processor time to decompress a batch than to receive it.
type line struct {
	fast atomic.Bool // whether the last large batch went fast
}

const (
	fastLine    = 5 << 20   // bytes per second
	tellingSize = 256 << 10 // bytes of a batch that is larger than the network's buffers
)

// encode returns a batch as the body of a request, and the body's Content-Encoding.
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
	// Sealed events are base64. Huffman coding alone saves a quarter of it, and a search
	// for repetitions would find nothing more.
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.HuffmanOnly)
	if err != nil {
		return nil, "", err
	}
	_, _ = w.Write(array.Bytes()) // Close returns the error of Write
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return packed.Bytes(), "gzip", nil
}

// carried records that the line took this long for this many bytes.
func (l *line) carried(size int, took time.Duration) {
	if size >= tellingSize {
		l.fast.Store(float64(size) > fastLine*took.Seconds())
	}
}
