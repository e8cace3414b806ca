package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"

	"smartkiosk/cmd/internal/service"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/push"
	"smartkiosk/store"
)

// outboxOpening contains what is needed to open the kiosk's outbox.
type outboxOpening struct {
	path     string
	options  store.Options
	records  *store.Records
	journal  *journal.Journal // makes the events for lost ones
	send     sendEvents       // sends events to the hub
	watchdog *watchdog        // fed while the kiosk waits for the hub
	service  *service.Manager // hears of progress in that time; may be nil
	log      *slog.Logger
}

// sendEvents sends events to the hub and returns the sequence number of the last event
// that the hub has. With an empty batch it only asks for that number.
type sendEvents = func(ctx context.Context, batch []json.RawMessage) (acknowledged uint64, err error)

// open opens the outbox. If it is damaged, open copies the readable events into a new
// file and writes a "lost" event in the place of each unreadable one. If the damage
// took the last sequence number, it does so up to the mark. If even the position is
// lost, or the file is an old copy, open calls begin.
func (o *outboxOpening) open(ctx context.Context) (*trackedOutbox, error) {
	// Reading a long outbox takes memory that is not needed afterwards.
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

// push sends the outbox's events to the hub until ctx ends.
func (d *Daemon) push(ctx context.Context) {
	p := push.Pusher{
		Queue: d.store, Send: d.client.SendEventsInTurn, Log: d.log, Busy: d.visits.busy,
		DeadLetter: func(sequence uint64, problem string) error {
			return d.store.MoveToDeadLetters(sequence, d.journal.StandIn(sequence, problem))
		},
	}
	_ = p.Run(ctx) // only ctx's error
}
