package hubapi

import (
	"context"
	"io"
	"time"
)

// eventsBody is the body of a request that carries events. It holds back its last byte
// until turn is closed. Without that byte no server can mistake the body for a complete
// one, whether it is JSON or gzip.
type eventsBody struct {
	ctx   context.Context
	line  *line
	size  int
	rest  []byte
	turn  <-chan struct{}
	began time.Time
}

// body returns a body with text, which is at least one byte long. The body reports its
// speed to the line.
func (l *line) body(ctx context.Context, text []byte, turn <-chan struct{}) *eventsBody {
	return &eventsBody{ctx: ctx, line: l, size: len(text), rest: text, turn: turn}
}

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

func (b *eventsBody) Close() error { return nil }
