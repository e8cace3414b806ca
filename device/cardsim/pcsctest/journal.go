//go:build linux

package pcsctest

import (
	"context"
	"errors"
	"strings"
	"sync"
)

// journal is what a pcscd has said. One writes and one awaits.
type journal struct {
	mu      sync.Mutex
	said    strings.Builder
	passed  int           // how much of it await has gone past
	changed chan struct{} // holds one while there is something new
	closed  chan struct{} // when pcscd has ended
}

func newJournal() *journal {
	return &journal{changed: make(chan struct{}, 1), closed: make(chan struct{})}
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	j.said.Write(b)
	j.mu.Unlock()
	select {
	case j.changed <- struct{}{}:
	default:
	}
	return len(b), nil
}

// close says that no more will be said.
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
	return j.said.String()
}

// await waits until text is said after what was awaited before.
func (j *journal) await(ctx context.Context, text string) error {
	for {
		closed := j.isClosed()
		if j.pass(text) {
			return nil
		}
		if closed {
			return errors.New("it has ended")
		}
		select {
		case <-j.changed:
		case <-j.closed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pass goes past the next text, if it has been said.
func (j *journal) pass(text string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := strings.Index(j.said.String()[j.passed:], text)
	if at < 0 {
		return false
	}
	j.passed += at + len(text)
	return true
}
