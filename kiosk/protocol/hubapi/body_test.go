package hubapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestEndWaitsForItsTurn checks that a batch that is sent ahead of its turn arrives without
// its end, and that the end arrives only after the turn has come.
func TestEndWaitsForItsTurn(t *testing.T) {
	const text = `[{"id":"a"},7]`
	for name, tt := range map[string]struct {
		turned bool
		got    string
		err    error
	}{
		"its turn comes":   {true, text, nil},
		"its context ends": {false, text[:len(text)-1], context.Canceled},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			turn := make(chan struct{})
			body := new(line).body(ctx, []byte(text), turn)
			var got strings.Builder
			read := make(chan error, 1)
			go func() { _, err := io.Copy(&got, body); read <- err }()
			synctest.Wait()
			if got.String() != text[:len(text)-1] || len(read) != 0 {
				t.Errorf("%s: before it %q went out", name, got.String())
			}
			if tt.turned {
				close(turn)
			} else {
				cancel()
			}
			if err := <-read; !errors.Is(err, tt.err) || got.String() != tt.got {
				t.Errorf("%s: %q went out, %v", name, got.String(), err)
			}
		})
	}
}

// TestSendEventsInTurn checks that a hub reads a batch that is sent ahead of its turn, and
// that a batch whose context ends is never completed.
func TestSendEventsInTurn(t *testing.T) {
	x := exchange{status: http.StatusOK, answer: `{"acknowledged":2}`}
	c := hub(t, &x)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	batch := []json.RawMessage{json.RawMessage(`1`), json.RawMessage(`2`)}
	if _, err := c.SendEventsInTurn(ctx, batch, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	turn := make(chan struct{})
	close(turn)
	if n, err := c.SendEventsInTurn(t.Context(), batch, turn); err != nil || n.Acknowledged != 2 {
		t.Errorf("in its turn: %d, %v", n.Acknowledged, err)
	}
	x.saw(t, "POST /v1/events", MediaEvents, `[1,2]`)
}

// TestLineIsWatched checks that the speed of the line is measured from the time that the
// body takes, without the time that it waits for its turn or for the answer.
func TestLineIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l line
		send := func(piece time.Duration) {
			turn := make(chan struct{})
			body, read := l.body(t.Context(), make([]byte, 10<<20), turn), make(chan error)
			go func() {
				for p := make([]byte, 1<<20); ; time.Sleep(piece) {
					if _, err := body.Read(p); err != nil {
						read <- err
						return
					}
				}
			}()
			time.Sleep(time.Minute)
			close(turn)
			if err := <-read; err != io.EOF {
				t.Error(err)
			}
		}
		if send(time.Second / 10); !l.fast.Load() {
			t.Error("10 MiB in a second are not fast")
		}
		if send(3 * time.Second / 10); l.fast.Load() {
			t.Error("10 MiB in three seconds are fast")
		}
	})
}
