package daemon

import (
	"context"
	"errors"
	"time"

	"smartkiosk/store"
)

// tendEvery is the interval at which the outbox is checked while nothing is appended.
// The check is needed because other programs write to the same disk.
const tendEvery = 5 * time.Second

// tend reports to the terminal and the hub how full the outbox is, and compacts the
// outbox between visits when that saves enough space. While nothing changes it writes
// nothing. It calls end when the outbox or the records must be opened again.
func (d *Daemon) tend(ctx context.Context, end context.CancelCauseFunc) {
	level := store.Roomy
	var worry error
	for {
		changed := d.store.Changed() // before Level, so that no change is missed
		now, err := d.store.Level()
		if err != nil && worry == nil && ctx.Err() == nil {
			d.log.Error("cannot look after the outbox", "err", err)
		}
		worry = err
		if errors.Is(err, store.ErrBroken) {
			end(err)
			return
		}
		d.watchdog.alive(outboxOpen) // also after an error: an outbox that fails does not hang
		if now != level {
			d.levelIs(ctx, now, now == store.Full || level == store.Full)
			level = now
		}
		d.compact()
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-time.After(tendEvery):
		}
	}
}

// levelIs reports a new level to the hub and, if door is true, to the terminal. door
// means that visits become possible or impossible.
func (d *Daemon) levelIs(ctx context.Context, now store.Level, door bool) {
	d.log.Warn("room in the outbox changed", "room", now, "pending", d.store.Len())
	d.scarce.Store(now != store.Roomy)
	if door {
		select {
		case d.room <- now != store.Full:
		case <-ctx.Done():
			return
		}
	}
	if err := d.journal.Room(now.String(), d.store.Len()); err != nil {
		d.log.Error("cannot tell the hub of the room in the outbox", "err", err)
	}
}

// compact rewrites the outbox if that saves enough space and no visit is in progress. A
// visit that begins meanwhile stops it.
func (d *Daemon) compact() {
	idle, ok := d.visits.idle()
	if !ok || !d.store.Sparse() {
		return
	}
	began := time.Now()
	switch err := d.store.Compact(idle, func() { d.watchdog.alive(outboxOpen) }); {
	case err == nil:
		d.log.Info("outbox compacted", "took", time.Since(began).Round(time.Millisecond))
	case errors.Is(err, context.Canceled), errors.Is(err, store.ErrFull):
		// Retry later: a visit has begun, or the disk has no room for two files.
	default:
		d.log.Error("cannot compact outbox", "err", err)
	}
}
