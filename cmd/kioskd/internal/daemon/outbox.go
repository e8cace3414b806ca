package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/push"
	"smartkiosk/store"
)

// askWait is how long the hub may take to say where a kiosk's events stand.
const askWait = 10 * time.Second

// openOutbox opens the outbox for j, whose events it keeps. From a damaged one
// all that can be read goes into a new file, with an event in the place of
// each that cannot: through the mark, where the damage took what says which
// was the last. When nothing is left, not even the place where it stood, or
// somebody put an old copy there, see beginOutbox.
func openOutbox(path string, o store.Options, records *store.Records, j *journal.Journal, send func(context.Context, []json.RawMessage) (uint64, error), log *slog.Logger) (*markedOutbox, error) {
	// A long outbox takes memory to be looked through, and none thereafter.
	defer debug.FreeOSMemory()
	known, err := readMark(records)
	if err != nil {
		return nil, err
	}
	begin := func() error { return beginOutbox(path, known, j, send, log) }
	if _, err := os.Stat(path); known != (mark{}) && errors.Is(err, fs.ErrNotExist) {
		log.Error("outbox is gone")
		if err := begin(); err != nil {
			return nil, err
		}
	}
	outbox, err := store.Open(path, o)
	if errors.Is(err, store.ErrDamaged) {
		log.Error("outbox is damaged", "err", err)
		if err = salvageOutbox(path, known, j, log); errors.Is(err, store.ErrNoTrace) {
			err = begin()
		}
		if err != nil {
			return nil, err
		}
		outbox, err = store.Open(path, o)
	}
	if err == nil && outbox.Sequence()+markStep < known.Through {
		log.Error("outbox is an old copy", "newest", outbox.Sequence(), "mark", known.Through)
		if err := errors.Join(outbox.Close(), begin()); err != nil {
			return nil, err
		}
		outbox, err = store.Open(path, o)
	}
	if err != nil {
		return nil, err
	}
	return &markedOutbox{Store: outbox, records: records, mark: known}, nil
}

func salvageOutbox(path string, known mark, j *journal.Journal, log *slog.Logger) error {
	salvaged, err := store.Salvage(path, j.Clocks.Now(), known.Through, func(seq uint64, lost store.Range, prev []byte) (record, link []byte, err error) {
		return j.Lost(seq, lost.From, lost.Through, prev)
	})
	if err == nil {
		log.Warn("outbox salvaged", "kept", salvaged.Kept, "lost", salvaged.Lost, "aside", salvaged.Aside)
	}
	return err
}

// beginOutbox goes on where no number is given twice, with what can be read of
// the events that may wait, and an event in the place of each that cannot. The
// hub is asked which event it has last. If it does not answer, those through
// the mark's Acked are its for sure; of the others it keeps what it has. The
// last is at most the mark's; without a mark only the hub knows where it stood,
// and nobody how many events it never got.
func beginOutbox(path string, known mark, j *journal.Journal, send func(context.Context, []json.RawMessage) (uint64, error), log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), askWait)
	defer cancel()
	last, err := send(ctx, nil)
	switch {
	case err == nil:
	case known == mark{}:
		return fmt.Errorf("nothing can be salvaged of the outbox, and neither the records nor the hub say where to go on: %w", err)
	default:
		log.Warn("the hub does not say where to go on, so the records do", "err", err)
		last = known.Acked
	}
	pending, most := store.Range{From: last + 1, Through: last + 1}, uint64(0)
	if known.Through > last {
		pending.Through, most = known.Through, known.Through
	}
	begun, err := store.Begin(path, j.Clocks.Now(), pending, func(seq uint64, lost store.Range, prev []byte) (record, link []byte, err error) {
		return j.Lost(seq, lost.From, min(lost.Through, most), prev)
	})
	if err != nil {
		return err
	}
	log.Warn("outbox begun anew", "after", last, "kept", begun.Kept, "lost", begun.Lost, "aside", begun.Aside)
	return nil
}

// push hands the outbox over until ctx ends.
func (d *Daemon) push(ctx context.Context) {
	p := push.Pusher{
		Queue: d.store, Send: d.client.SendEvents, Log: d.log, Busy: d.visits.busy,
		Park: func(sequence uint64, problem string) error {
			return d.store.Park(sequence, d.journal.StandIn(sequence, problem))
		},
	}
	_ = p.Run(ctx) // ctx's error
}
