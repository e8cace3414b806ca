package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"

	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/push"
	"smartkiosk/store"
)

// outboxOpening is what there is to open a kiosk's outbox with.
type outboxOpening struct {
	path     string
	options  store.Options
	records  *store.Records
	journal  *journal.Journal // whose events it keeps
	send     sendEvents       // to the hub
	watchdog *watchdog        // for as long as the hub is asked
	log      *slog.Logger
}

// sendEvents gives the hub events, or asks by none of them which it has last.
type sendEvents = func(ctx context.Context, batch []json.RawMessage) (acknowledged uint64, err error)

// open opens the outbox. From a damaged one all that can be read goes into a
// new file, with an event in the place of each that cannot: through the mark,
// where the damage took what says which was the last. When nothing is left, not
// even the place where it stood, or somebody put an old copy there, see begin.
func (o *outboxOpening) open(ctx context.Context) (*trackedOutbox, error) {
	// A long outbox takes memory to be looked through, and none thereafter.
	defer debug.FreeOSMemory()
	known, err := readHighWater(o.records)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(o.path); errors.Is(err, fs.ErrNotExist) && o.existed(ctx, known) {
		o.log.Error("outbox is gone")
		if err := o.begin(ctx, known); err != nil {
			return nil, err
		}
	}
	outbox, err := store.Open(o.path, o.options)
	if errors.Is(err, store.ErrDamaged) {
		o.log.Error("outbox is damaged", "err", err)
		if err = o.salvage(known); errors.Is(err, store.ErrNoTrace) {
			err = o.begin(ctx, known)
		}
		if err != nil {
			return nil, err
		}
		outbox, err = store.Open(o.path, o.options)
	}
	if err == nil && outbox.Sequence()+highWaterStep < known.Through {
		o.log.Error("outbox is an old copy", "sequence", outbox.Sequence(), "high_water", known.Through)
		if err := errors.Join(outbox.Close(), o.begin(ctx, known)); err != nil {
			return nil, err
		}
		outbox, err = store.Open(o.path, o.options)
	}
	if err != nil {
		return nil, err
	}
	return &trackedOutbox{Store: outbox, records: o.records, highWater: known}, nil
}

func (o *outboxOpening) salvage(known highWater) error {
	salvaged, err := store.Salvage(o.path, o.journal.Clocks.Now(), known.Through, func(seq uint64, lost store.Range, prev []byte) (record, link []byte, err error) {
		return o.journal.Lost(seq, lost.From, lost.Through, prev)
	})
	if err == nil {
		o.log.Warn("outbox salvaged", "kept", salvaged.Kept, "lost", salvaged.Lost, "file", salvaged.DamagedFile)
	}
	return err
}

// push hands the outbox over until ctx ends.
func (d *Daemon) push(ctx context.Context) {
	p := push.Pusher{
		Queue: d.store, Send: d.client.SendEventsInTurn, Log: d.log, Busy: d.visits.busy,
		DeadLetter: func(sequence uint64, problem string) error {
			return d.store.MoveToDeadLetters(sequence, d.journal.StandIn(sequence, problem))
		},
	}
	_ = p.Run(ctx) // ctx's error
}
