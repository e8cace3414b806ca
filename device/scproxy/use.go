package scproxy

import (
	"context"
	"sync"
	"time"
)

// Use says what login pages do with the card.
type Use int

const (
	Unused  Use = iota
	Awaited     // a page has asked for the readers lately, or its session ended without disconnect
	InUse       // a session is open
)

func (u Use) String() string { return [...]string{"unused", "awaited", "in use"}[u] }

// awaitFor is how long a page counts as waiting after it asked for the readers. A
// page that waits for a card may ask only once, when it loads.
const awaitFor = time.Minute

// uses keeps the present Use.
type uses struct {
	mu      sync.Mutex
	now     Use
	lapse   *time.Timer // ends Awaited; nil at first
	lapses  time.Time   // when Awaited ends
	changed chan struct{}
}

func newUses() *uses { return &uses{changed: make(chan struct{})} }

// Uses sends the present Use and then every change, until ctx ends. If the receiver
// is slow, Uses leaves out what is already over.
func (s *Service) Uses(ctx context.Context) <-chan Use {
	c := make(chan Use)
	go func() {
		defer close(c)
		sent := Use(-1)
		for {
			now, changed := s.uses.get()
			if now == sent {
				select {
				case <-changed:
				case <-ctx.Done():
					return
				}
				continue
			}
			select {
			case c <- now:
				sent = now
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return c
}

func (u *uses) get() (Use, <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.now, u.changed
}

// asked records that a page asked for the readers.
func (u *uses) asked() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.now != InUse {
		u.await()
	}
}

// opened records that a session is open.
func (u *uses) opened() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.set(InUse)
}

// ended records that the session has ended. comesBack means that its page did not
// end it and may open another one, for example while the holder types the PIN.
func (u *uses) ended(comesBack bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if comesBack {
		u.await()
	} else {
		u.set(Unused)
	}
}

// await sets Awaited for awaitFor. The caller holds mu.
func (u *uses) await() {
	u.set(Awaited)
	if u.lapse == nil {
		u.lapse = time.AfterFunc(awaitFor, u.lapsed)
	} else {
		u.lapse.Reset(awaitFor)
	}
	u.lapses = time.Now().Add(awaitFor)
}

func (u *uses) lapsed() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.now == Awaited && !time.Now().Before(u.lapses) {
		u.set(Unused)
	}
}

// set changes the present Use. The caller holds mu.
func (u *uses) set(now Use) {
	if u.lapse != nil {
		u.lapse.Stop()
	}
	if now == u.now {
		return
	}
	u.now = now
	close(u.changed)
	u.changed = make(chan struct{})
}
