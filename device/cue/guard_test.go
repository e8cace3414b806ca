package cue

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// lock is a line that records how long it was on.
type lock struct {
	mu      sync.Mutex
	open    bool
	since   time.Time
	longest time.Duration
	failing int           // the number of further shuts that fail
	slow    time.Duration // how long set(true) takes
}

func (l *lock) set(open bool) error {
	if open {
		time.Sleep(l.slow)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !open && l.failing > 0 {
		l.failing--
		return errors.New("line lost")
	}
	if open && !l.open {
		l.since = time.Now()
	}
	if !open && l.open {
		l.longest = max(l.longest, time.Since(l.since))
	}
	l.open = open
	return nil
}

func (l *lock) isOpen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

func (l *lock) fail(times int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failing = times
}

// guarded runs guard on a lock in virtual time. end stops guard if f did not.
func guarded(t *testing.T, l *lock, limit time.Duration, f func(tell func(time.Duration) error, stop chan struct{})) {
	t.Helper()
	commands, replies, stop := make(chan time.Duration), make(chan error, 1), make(chan struct{}, 1)
	ended := make(chan error)
	go func() { ended <- guard(commands, func(err error) { replies <- err }, stop, l.set, limit) }()
	<-replies
	f(func(d time.Duration) error {
		commands <- d
		return <-replies
	}, stop)
	close(commands)
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	if l.open {
		t.Error("left open at the end")
	}
}

// For any sequence of commands, the line is on no longer than its limit at a
// time, and off at the end.
func TestGuardNeverOpensLongerThanItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) { // rapid calls Deadline, which a synctest bubble forbids
			limit := time.Duration(rapid.IntRange(1, 5000).Draw(rt, "limit ms")) * time.Millisecond
			l := &lock{}
			guarded(t, l, limit, func(tell func(time.Duration) error, _ chan struct{}) {
				for range rapid.IntRange(1, 30).Draw(rt, "commands") {
					d := time.Duration(rapid.Int64().Draw(rt, "for"))
					if rapid.Bool().Draw(rt, "in seconds") {
						d = time.Duration(rapid.IntRange(-1, 9000).Draw(rt, "ms")) * time.Millisecond
					}
					_ = tell(d)
					time.Sleep(time.Duration(rapid.IntRange(0, 3000).Draw(rt, "wait ms")) * time.Millisecond)
				}
			})
			if l.longest > limit {
				rt.Fatalf("open for %v, limit %v", l.longest, limit)
			}
		})
	})
}

func TestGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lock{open: true} // left open by the previous holder
		guarded(t, l, 10*time.Second, func(tell func(time.Duration) error, stop chan struct{}) {
			at := func(d time.Duration, open bool) {
				t.Helper()
				time.Sleep(d)
				synctest.Wait()
				if l.isOpen() != open {
					t.Errorf("open: %v", !open)
				}
			}
			at(0, false)
			if err := tell(3 * time.Second); err != nil {
				t.Fatal(err)
			}
			at(2999*time.Millisecond, true)
			at(time.Millisecond, false)

			_ = tell(3 * time.Second)
			at(2*time.Second, true)
			_ = tell(3 * time.Second) // 3 s from now
			at(2999*time.Millisecond, true)
			at(time.Millisecond, false)

			// A second person gets the full time, although the rest of the limit is less.
			_ = tell(9 * time.Second)
			at(8*time.Second, true)
			if err := tell(9 * time.Second); err != nil {
				t.Error(err)
			}
			at(8999*time.Millisecond, true)
			at(time.Millisecond, false)

			_ = tell(time.Minute) // cut to the limit
			at(9999*time.Millisecond, true)
			at(time.Millisecond, false)

			_ = tell(5 * time.Second)
			_ = tell(0)
			at(0, false)

			_ = tell(time.Second)
			l.fail(5) // guard retries until it works
			at(time.Second, true)
			at(5*setAgain, false)

			_ = tell(time.Second)
			l.fail(1)
			if err := tell(0); err == nil {
				t.Error("shutting failed and guard did not report it")
			}
			at(setAgain, false)
			_ = tell(time.Hour)
			l.fail(3) // guard also retries at the end
		})
	})
}

// On a board that is slow to open, because it is busy, the opening is no shorter,
// but never longer than the limit.
func TestGuardCountsFromWhenTheLineIsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for told, want := range map[time.Duration]time.Duration{
			3 * time.Second: 3 * time.Second,
			9 * time.Second: 8 * time.Second, // within the limit of 10 s, counted from the command
			time.Minute:     8 * time.Second,
		} {
			l := &lock{slow: 2 * time.Second}
			guarded(t, l, 10*time.Second, func(tell func(time.Duration) error, _ chan struct{}) {
				if err := tell(told); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Minute)
			})
			if l.longest != want {
				t.Errorf("told to open for %v it was open for %v, not %v", told, l.longest, want)
			}
		}
	})
}

func TestGuardStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, failing := range []int{0, lastTries} {
			l := &lock{}
			commands, replies, stop := make(chan time.Duration), make(chan error, 1), make(chan struct{})
			ended := make(chan error)
			go func() { ended <- guard(commands, func(err error) { replies <- err }, stop, l.set, time.Hour) }()
			<-replies
			commands <- time.Hour
			<-replies
			l.fail(failing)
			close(stop)
			if err := <-ended; (err != nil) != (failing > 0) || l.open != (failing > 0) {
				t.Errorf("after %d failures: %v, open %v", failing, err, l.open)
			}
		}
	})
}
