package frontpanel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk"
)

// fakeStrike records each call with its second.
type fakeStrike struct {
	began  time.Time
	errors chan error

	slow time.Duration // how long opening takes

	mu     sync.Mutex
	broken error
	told   []string
}

func (s *fakeStrike) note(what string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, fmt.Sprintf("%s at %v", what, time.Since(s.began).Round(100*time.Millisecond)))
	return s.broken
}

func (s *fakeStrike) Open(d time.Duration) error {
	<-time.After(s.slow)
	return s.note(fmt.Sprint("open for ", d))
}
func (s *fakeStrike) Shut() error          { return s.note("shut") }
func (s *fakeStrike) Errors() <-chan error { return s.errors }
func (s *fakeStrike) Close() error         { return s.note("close") }

func (s *fakeStrike) breaks(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
}

// The door opens for its time and is checked while it is shut. When it has failed and
// works again, it does not open for a visitor who has gone.
func TestDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		h := newHealth(slog.New(slog.DiscardHandler))
		s := &fakeStrike{began: time.Now(), errors: make(chan error, 1)}
		d := newDoor(3 * time.Second)
		part := h.part("strike", kiosk.Door)
		var work sync.WaitGroup
		work.Go(func() { h.run(ctx) })
		work.Go(func() { d.run(ctx, func() (strike, error) { return s, nil }, part) })
		pass := func(d time.Duration) { <-time.After(d); synctest.Wait() }
		works := func(want bool) {
			t.Helper()
			if got := <-h.states; got.Part != kiosk.Door || got.Works != want {
				t.Errorf("the states are %+v", got)
			}
		}
		works(true)
		pass(59 * time.Second) // checked at 30 s
		d.open()
		pass(5 * time.Second) // at 60 s it is open

		s.breaks(errors.New("line lost"))
		d.open()
		works(false) // after 3 s
		d.open()
		pass(10 * time.Second)
		s.breaks(nil)
		works(true)
		pass(time.Second)
		s.errors <- errors.New("the guardian ended: another is started")
		pass(5 * time.Second)
		stop()
		work.Wait()

		const want = "shut at 30s, open for 3s at 59s, open for 3s at 1m4s, shut at 1m6s, shut at 1m8s, shut at 1m10s, shut at 1m12s, shut at 1m14s, shut at 1m16s, shut at 1m18s, shut at 1m22s, close at 1m25s"
		if got := strings.Join(s.told, ", "); got != want {
			t.Errorf("the strike was called\n%s, want\n%s", got, want)
		}
	})
}

// A door that is slow to open is not checked before its time is over.
func TestDoorThatOpensSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		s := &fakeStrike{began: time.Now(), errors: make(chan error, 1), slow: 2 * time.Second}
		d := newDoor(3 * time.Second)
		h := newHealth(slog.New(slog.DiscardHandler))
		part := h.part("strike", kiosk.Door)
		var work sync.WaitGroup
		work.Go(func() { h.run(ctx) })
		work.Go(func() { d.run(ctx, func() (strike, error) { return s, nil }, part) })
		<-h.states
		<-time.After(26 * time.Second)
		d.open()
		<-time.After(40 * time.Second)
		stop()
		work.Wait()
		const want = "open for 3s at 28s, shut at 1m0s, close at 1m6s"
		if got := strings.Join(s.told, ", "); got != want {
			t.Errorf("the strike was called\n%s, want\n%s", got, want)
		}
	})
}

// Calls from several goroutines never block although no goroutine receives.
func TestReplace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := make(chan int, 1)
		var callers sync.WaitGroup
		for n := range 8 {
			callers.Go(func() {
				for range 1000 {
					replace(to, n)
				}
			})
		}
		callers.Wait()
		<-to
	})
}

// One of two displays is lost. The kiosk goes on with the other.
func TestOneOfTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var log strings.Builder
		h := newHealth(slog.New(slog.NewTextHandler(&log, nil)))
		first, second := h.part("display.ssd1306", kiosk.Display), h.part("display.dm-d110", kiosk.Display)
		done := make(chan struct{})
		go func() { h.run(ctx); close(done) }()
		first.setError(nil)
		if s := <-h.states; !s.Works {
			t.Error("no display works")
		}
		second.setError(errGone)
		<-time.After(time.Minute)
		synctest.Wait()
		select {
		case s := <-h.states:
			t.Errorf("the state is %+v", s)
		default:
		}
		if strings.Contains(log.String(), "out of service") || !strings.Contains(log.String(), "part=display.dm-d110 err=gone") {
			t.Errorf("logged %s", &log)
		}
		first.setError(errGone)
		if s := <-h.states; s.Works {
			t.Error("a display works")
		}
		stop()
		<-done
		if !strings.Contains(log.String(), "out of service: a part of the panel is lost; look at its plugs, wires and supply\" part=display.ssd1306") {
			t.Errorf("logged %s", &log)
		}
	})
}
