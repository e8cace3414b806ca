package daemon

import (
	"context"
	"errors"
	"time"

	"smartkiosk/store"
)

// tendEvery is how often the outbox is looked after while nothing is appended:
// others write to its disk too.
const tendEvery = 5 * time.Second

// tend tells the visits and the hub how near the outbox is to its end, and
// compacts it between visits when that pays. It writes nothing while nothing
// changes. When the outbox or the records must be opened anew it calls end.
func (d *Daemon) tend(ctx context.Context, end context.CancelCauseFunc) {
	level := store.Roomy
	var worry error
	for {
		changed := d.store.Changed() // before the look at what there is
		now, err := d.store.Level()
		if err != nil && worry == nil && ctx.Err() == nil {
			d.log.Error("cannot look after the outbox", "err", err)
		}
		worry = err
		if errors.Is(err, store.ErrBroken) {
			end(err)
			return
		}
		d.watchdog.alive(outboxOpen) // one that fails does not hang
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

// levelIs tells who must know of a level; door says that visits begin or end.
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

// compact writes the outbox anew if that pays, unless a visit goes on; one that
// begins meanwhile ends it.
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
		// Another time: a person came, or there is no room for two files.
	default:
		d.log.Error("cannot compact outbox", "err", err)
	}
}
