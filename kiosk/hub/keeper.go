package hub

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
)

// keeper watches the embedded JetStream and its disk. JetStream keeps a write error until its
// server is started again, even if the disk works again. So the keeper waits until the disk
// works, and then replaces the server. Meanwhile the hub refuses to write, with the reason.
type keeper struct {
	store *embedded
	log   *slog.Logger
	prove func(context.Context) error                // writes to JetStream
	rose  func(level int, s space)                   // is called when the disk's level has risen
	back  func(fault string, since, until time.Time) // is called when the hub writes again

	measure func(dir string) (space, error)
	try     func(dir string) error

	suspected chan struct{} // a request has failed

	mu         sync.Mutex
	fault      string // why the hub writes nothing; "" if it writes
	first      string // the fault with which that began
	since      time.Time
	eventsFull bool // only events are refused
	level      int
	rising     time.Time // since when the disk has had a higher level than level; zero if it has not
	restarts   int
	generation context.Context // ends when the server is replaced
	replaced   context.CancelFunc
}

const (
	keeperInterval = 2 * time.Second
	// restartWait is the time between two attempts to replace the server. It doubles after
	// each, up to maxRestartWait.
	restartWait    = time.Second
	maxRestartWait = 30 * time.Second
)

func newKeeper(store *embedded, log *slog.Logger) *keeper {
	k := &keeper{
		store: store, log: log, measure: measure, try: tryDisk, suspected: make(chan struct{}, 1),
		rose: func(int, space) {}, back: func(string, time.Time, time.Time) {},
	}
	k.generation, k.replaced = context.WithCancel(context.Background())
	return k
}

// suspect has the keeper examine the store at once. A nil keeper does nothing.
func (k *keeper) suspect() {
	if k == nil {
		return
	}
	select {
	case k.suspected <- struct{}{}:
	default:
	}
}

// run watches the store until ctx ends.
func (k *keeper) run(ctx context.Context) {
	wait := restartWait
	for suspected := false; ; {
		if k.examine(ctx, suspected) {
			wait = restartWait
		} else {
			wait = min(2*wait, maxRestartWait)
		}
		pause := keeperInterval
		if k.refusal(false) != nil {
			pause = min(pause, wait)
		}
		suspected = false
		select {
		case <-time.After(pause):
		case <-k.suspected:
			suspected = true
		case <-k.store.trouble:
			suspected = true
		case <-ctx.Done():
			return
		}
	}
}

// examine looks at the disk and the store once, and replaces the server if that may help. It
// returns false if the server was replaced in vain.
func (k *keeper) examine(ctx context.Context, suspected bool) (fine bool) {
	s, err := k.measure(k.store.dir)
	switch {
	case err != nil:
		k.stop("the hub's disk fails", err)
		return true
	case s.readOnly:
		k.stop("the hub's disk is read-only", nil)
		return true
	}
	k.note(s)
	if s.free < s.reserve()/floorPart {
		k.stop("the hub's disk is full", nil)
		return true
	}
	stuck := k.store.writeError()
	if stuck == nil && !suspected && k.refusal(false) == nil {
		return true
	}
	if err := k.try(k.store.dir); err != nil {
		k.stop(diskFault(err), err)
		return true
	}
	if stuck == nil {
		if stuck = k.prove(ctx); stuck == nil {
			k.resume()
			return true
		}
	}
	if ctx.Err() != nil {
		return true
	}
	k.stop("the hub's store is being started again", stuck)
	return k.restart(ctx)
}

// restart replaces the server.
func (k *keeper) restart(ctx context.Context) bool {
	began := time.Now()
	err := k.store.restart(ctx)
	k.mu.Lock()
	k.restarts++
	k.replaced()
	k.generation, k.replaced = context.WithCancel(context.Background())
	k.mu.Unlock()
	if err == nil {
		err = k.prove(ctx)
	}
	if err != nil {
		if ctx.Err() == nil {
			k.log.Error("cannot start the store again", "err", err)
		}
		return false
	}
	k.log.Warn("the store was started again, because it refused to write", "took", time.Since(began))
	k.resume()
	return true
}

// levelDelay is how long a disk must have a level until that counts, so that a file that is
// removed soon raises no alarm. A full disk counts at once.
const levelDelay = time.Minute

// note follows the disk's level.
func (k *keeper) note(s space) {
	k.mu.Lock()
	before, level := k.level, s.level(k.level)
	switch {
	case level <= before || level == diskFull:
		k.rising = time.Time{}
	case k.rising.IsZero():
		k.rising, level = time.Now(), before
	case time.Since(k.rising) < levelDelay:
		level = before
	}
	k.level = level
	k.eventsFull = level == diskFull
	k.mu.Unlock()
	if level > before {
		k.rose(level, s)
	}
	if before == diskFull && level < diskFull {
		k.log.Info("the hub's disk has room for events again")
	}
}

// stop notes why the hub writes nothing.
func (k *keeper) stop(fault string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fault == fault {
		return
	}
	if k.fault == "" {
		k.since, k.first = time.Now(), fault
	}
	k.fault = fault
	k.log.Error("the hub refuses to write", "reason", fault, "err", err)
}

// resume notes that the hub writes again.
func (k *keeper) resume() {
	k.mu.Lock()
	fault, first, since := k.fault, k.first, k.since
	k.fault = ""
	k.mu.Unlock()
	if fault != "" {
		k.log.Warn("the hub writes again", "reason", first, "took", time.Since(since).Round(time.Millisecond))
		k.back(first, since, time.Now())
	}
}

// restarted returns how often the server was replaced.
func (k *keeper) restarted() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.restarts
}

// reached returns the level that the disk has reached.
func (k *keeper) reached() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.level
}

// diskRetry is the Retry-After of a hub whose disk cannot be used.
const diskRetry = 5 * time.Second

// StoreError says that the hub itself knows why it cannot write, and goes on as soon as the
// cause is gone. To start the hub again does not help.
type StoreError struct{ Reason string }

func (e StoreError) Error() string { return e.Reason }

// refusal returns why the hub cannot write, or cannot store events, or nil. A nil keeper
// returns nil.
func (k *keeper) refusal(events bool) error {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.fault != "":
		return StoreError{k.fault}
	case events && k.eventsFull:
		return StoreError{"the hub's disk is full"}
	}
	return nil
}

// problem is the answer to a request that the hub refuses because of its disk.
func (e StoreError) problem() *hubapi.Problem {
	p := apihttp.Problem(http.StatusServiceUnavailable, hubapi.KindNotReady, "not ready", e.Reason+"; try again later")
	p.Wait = diskRetry
	return p
}

// untilReplaced derives a context that also ends when the server is replaced: what reads from
// JetStream must then begin again.
func (k *keeper) untilReplaced(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if k == nil {
		return ctx, cancel
	}
	k.mu.Lock()
	generation := k.generation
	k.mu.Unlock()
	stop := context.AfterFunc(generation, cancel)
	return ctx, func() { stop(); cancel() }
}

// ProveWrite returns an error if the store cannot write. It is a StoreError if the hub knows
// why.
func (h *Hub) ProveWrite(ctx context.Context) error {
	if err := h.keeper.refusal(true); err != nil {
		return err
	}
	err := h.putHealth(ctx)
	if err != nil {
		h.keeper.suspect()
	}
	return err
}

func (h *Hub) putHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if _, err := h.challenges.Put(ctx, healthKey, nil); err != nil {
		return storeError{fmt.Errorf("cannot prove a write: %w", err)}
	}
	return nil
}
