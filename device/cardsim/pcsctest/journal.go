//go:build linux

package pcsctest

import (
	"context"
	"errors"
	"strings"
	"sync"
)

// journal is the log output of a pcscd. It supports one writer and one reader.
type journal struct {
	mu      sync.Mutex
	text    strings.Builder
	passed  int           // how much of text await has consumed
	changed chan struct{} // has an element when there is new text
	closed  chan struct{} // closed when pcscd has ended
}

func newJournal() *journal {
	return &journal{changed: make(chan struct{}, 1), closed: make(chan struct{})}
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	j.text.Write(b)
	j.mu.Unlock()
	select {
	case j.changed <- struct{}{}:
	default:
	}
	return len(b), nil
}

// close marks the end of the log.
func (j *journal) close() { close(j.closed) }

func (j *journal) isClosed() bool {
	select {
	case <-j.closed:
		return true
	default:
		return false
	}
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// await waits for text to appear after the text of the previous await.
func (j *journal) await(ctx context.Context, text string) error {
	for {
		closed := j.isClosed()
		if j.pass(text) {
			return nil
		}
		if closed {
			return errors.New("pcscd has ended")
		}
		select {
		case <-j.changed:
		case <-j.closed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pass consumes the log up to the next occurrence of text, if there is one.
func (j *journal) pass(text string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := strings.Index(j.text.String()[j.passed:], text)
	if at < 0 {
		return false
	}
	j.passed += at + len(text)
	return true
}
