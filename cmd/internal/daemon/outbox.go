package daemon

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"

	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/push"
	"smartkiosk/store"
)

// outboxFile is the name of the outbox in the state folder.
const outboxFile = "outbox.db"

// outboxOpening contains what is needed to open the kiosk's outbox.
type outboxOpening struct {
	path    string
	options store.Options
	journal *journal.Journal
	log     *slog.Logger
}

// open opens the outbox and makes it the journal's. If it is damaged, open copies the readable
// events into a new file. If events may be lost at its end, it begins a new epoch, so that no
// sequence number is used twice. The hub is not needed for that: a kiosk whose outbox is empty
// cannot know whether it is new, so the journal begins a new epoch with the first event.
func (o *outboxOpening) open() (*store.Store, error) {
	// Reading a long outbox takes memory that is not needed afterwards.
	defer debug.FreeOSMemory()
	if _, err := os.Stat(o.path); errors.Is(err, fs.ErrNotExist) && store.Existed(o.path) {
		o.log.Error("outbox is gone")
	}
	outbox, err := store.Open(o.path, o.options)
	var salvaged store.Salvaged
	if errors.Is(err, store.ErrDamaged) {
		o.log.Error("outbox is damaged", "err", err)
		if salvaged, err = o.salvage(); err != nil {
			return nil, err
		}
		outbox, err = store.Open(o.path, o.options)
	}
	wentBack := false
	if errors.Is(err, store.ErrSchema) {
		newer, e := store.GoBack(o.path)
		if e != nil {
			return nil, errors.Join(err, e)
		}
		o.log.Error("outbox was written by a newer version, so the copy from before the update is used; hand the events of the other file in with the newer version", "file", newer, "err", err)
		wentBack = true
		outbox, err = store.Open(o.path, o.options)
	}
	if err != nil {
		return nil, err
	}
	o.journal.Outbox = outbox
	if n := len(salvaged.Lost); wentBack || salvaged.TailLost || n > 0 && salvaged.Lost[n-1].Through == outbox.Sequence() {
		if _, err := o.journal.BeginEpoch(event.Epoch{Why: event.EpochDamaged}); err != nil {
			return nil, errors.Join(err, outbox.Close())
		}
		o.log.Warn("new epoch: events may be lost at the end of the outbox", "epoch", outbox.Epoch().ID)
	}
	return outbox, nil
}

func (o *outboxOpening) salvage() (store.Salvaged, error) {
	salvaged, err := store.Salvage(o.path, o.journal.Clocks.Now())
	if err == nil {
		o.log.Warn("outbox salvaged", "kept", salvaged.Kept, "lost", salvaged.Lost, "file", salvaged.DamagedFile)
	}
	return salvaged, err
}

// push sends the outbox's events to the hub until ctx ends.
func (d *Daemon) push(ctx context.Context) {
	p := push.Pusher{
		Queue: d.store, Send: d.client.SendEventsInTurn, Log: d.log, Busy: d.visits.busy, BeginEpoch: d.journal.BeginEpoch,
		DeadLetter: func(position uint64, problem string) error {
			return d.store.MoveToDeadLetters(position, d.journal.StandIn(problem))
		},
	}
	_ = p.Run(ctx) // only ctx's error
}
