package hubapi

import (
	"context"
	"io"
	"time"
)

// eventsBody is a request's body, of events on the line, that keeps its last byte
// until it is its turn: what no server can take for a whole body, JSON or gzip.
type eventsBody struct {
	ctx   context.Context
	line  *line
	size  int
	rest  []byte
	turn  <-chan struct{}
	began time.Time
}

// body gives a body of events, of at least a byte. It tells the line how it went.
func (l *line) body(ctx context.Context, text []byte, turn <-chan struct{}) *eventsBody {
	return &eventsBody{ctx: ctx, line: l, size: len(text), rest: text, turn: turn}
}

// Read implements io.Reader.
func (b *eventsBody) Read(p []byte) (int, error) {
	switch len(b.rest) {
	case 0:
		return 0, io.EOF
	case 1:
		b.line.carried(b.size, time.Since(b.began))
		select {
		case <-b.turn:
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
		n := copy(p, b.rest)
		b.rest = b.rest[n:]
		return n, nil
	}
	if b.began.IsZero() {
		b.began = time.Now()
	}
	n := copy(p, b.rest[:len(b.rest)-1])
	b.rest = b.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (b *eventsBody) Close() error { return nil }
