package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/cmd/internal/service"
	"smartkiosk/kiosk/push"
	"smartkiosk/kiosk/terminal"
	"smartkiosk/store"
)

// answers returns a hub that has all events up to last.
func answers(last uint64) sendEvents {
	return func(context.Context, []json.RawMessage) (uint64, error) { return last, nil }
}

// TestBeginOutbox checks where the outbox continues when nothing is left of it, and
// which events are reported as lost.
func TestBeginOutbox(t *testing.T) {
	const unknown = push.MaxEvents
	for _, tt := range []struct {
		name  string
		known highWater
		hub   sendEvents
		want  store.Position
	}{
		{"hub and mark", highWater{Through: 300, Acked: 100}, answers(120), store.Position{First: 121, Acked: 120, Last: 300}},
		{"mark alone", highWater{Through: 300, Acked: 100}, away, store.Position{First: 101, Acked: 100, Last: 300}},
		{"hub alone", highWater{}, answers(120), store.Position{First: 121, Acked: 120, Last: 120 + unknown}},
		{"hub beyond the mark", highWater{Through: 110, Acked: 100}, answers(120), store.Position{First: 121, Acked: 120, Last: 120 + unknown}},
	} {
		d := newTended(t, t.TempDir(), store.Options{})
		path := filepath.Join(t.TempDir(), "outbox.db")
		if err := d.opening(path, tt.hub).begin(t.Context(), tt.known); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(path, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if s.Position() != tt.want {
			t.Errorf("%s: it stands at %+v, want %+v", tt.name, s.Position(), tt.want)
		}
	}
}

// TestExisted checks that an outbox whose file is missing is distinguished from one
// that never existed.
func TestExisted(t *testing.T) {
	for _, tt := range []struct {
		name  string
		made  bool // an outbox was made, and its file removed
		known highWater
		hub   sendEvents
		want  bool
	}{
		{name: "never", hub: answers(0)},
		{name: "never, as far as can be seen", hub: away},
		{name: "by what it left", made: true, hub: away, want: true},
		{name: "by the mark", known: highWater{Through: 128}, hub: away, want: true},
		{name: "by the hub", hub: answers(1), want: true},
	} {
		d := newTended(t, t.TempDir(), store.Options{})
		path := filepath.Join(t.TempDir(), "outbox.db")
		if tt.made {
			s, err := store.Open(path, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(s.Close(), os.Remove(path)); err != nil {
				t.Fatal(err)
			}
		}
		if got := d.opening(path, tt.hub).existed(t.Context(), tt.known); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// TestAwaitHub checks that, when only the hub knows where to continue, it is asked
// every few seconds until it answers, and that the watchdog is fed and the service
// manager is asked for more time more often.
func TestAwaitHub(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := newTended(t, state, store.Options{})
		began, asked := time.Now(), 0
		o := d.opening(filepath.Join(state, "gone.db"), func(context.Context, []json.RawMessage) (uint64, error) {
			if asked++; time.Since(began) < time.Hour {
				return 0, errors.New("away")
			}
			return 7, nil
		})
		extended := time.Now() // until when the service manager waits
		o.service = service.New(d.log, func(state string) error {
			var more int64
			if _, err := fmt.Sscanf(state, "EXTEND_TIMEOUT_USEC=%d\nSTATUS=out of service: ", &more); err != nil || time.Now().After(extended) {
				t.Errorf("%q comes at %s, when the time until %s is over", state, time.Now(), extended)
			}
			extended = time.Now().Add(time.Duration(more) * time.Microsecond)
			return nil
		})
		var last time.Time // when the watchdog was fed last
		o.watchdog = &watchdog{log: d.log, failed: make(chan struct{}, 1), open: func() (dog, error) {
			last = time.Now()
			return dogFunc(func(part string) error {
				if since := time.Since(last); since > terminal.AliveEvery || part != hubAsked {
					t.Errorf("%s was alive after %s", part, since)
				}
				last = time.Now()
				return nil
			}), nil
		}}
		if err := o.begin(t.Context(), highWater{}); err != nil {
			t.Fatal(err)
		}
		if asked < 500 || asked > 1000 {
			t.Errorf("in an hour the hub was asked %d times", asked)
		}
		if last.Sub(began) < time.Hour-terminal.AliveEvery {
			t.Errorf("the watchdog heard nothing any more after %s", last.Sub(began))
		}

		// Await returns at once when its context ends.
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, stop)
		o = d.opening(filepath.Join(state, "gone too.db"), away)
		if err := o.begin(ctx, highWater{}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
