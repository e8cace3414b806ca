package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
// each that cannot. When not even the place can be read where it stood, the
// hub is asked which event it has last; without an answer there is no outbox.
func openOutbox(path string, o store.Options, j *journal.Journal, send func(context.Context, []json.RawMessage) (uint64, error), log *slog.Logger) (*store.Store, error) {
	// A long outbox takes memory to be looked through, and none thereafter.
	defer debug.FreeOSMemory()
	outbox, err := store.Open(path, o)
	if !errors.Is(err, store.ErrDamaged) {
		return outbox, err
	}
	log.Error("outbox is damaged", "err", err)
	salvaged, err := store.Salvage(path, j.Clocks.Now(), func(seq uint64, lost store.Range, prev []byte) (record, link []byte, err error) {
		return j.Lost(seq, lost.From, lost.Through, prev)
	})
	switch {
	case errors.Is(err, store.ErrNoTrace):
		if err := beginOutbox(path, j, send, log); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		log.Warn("outbox salvaged", "kept", salvaged.Kept, "lost", salvaged.Lost, "aside", salvaged.Aside)
	}
	return store.Open(path, o)
}

// beginOutbox goes on after the last event that the hub has.
func beginOutbox(path string, j *journal.Journal, send func(context.Context, []json.RawMessage) (uint64, error), log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), askWait)
	defer cancel()
	last, err := send(ctx, nil)
	if err != nil {
		return fmt.Errorf("nothing can be salvaged of the outbox, and the hub does not say where to go on: %w", err)
	}
	aside, err := store.Begin(path, j.Clocks.Now(), last, func(seq uint64) (record, link []byte, err error) {
		return j.Lost(seq, seq, 0, nil)
	})
	if err != nil {
		return err
	}
	log.Warn("outbox begun anew: what the hub did not have is lost", "after", last, "aside", aside)
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
