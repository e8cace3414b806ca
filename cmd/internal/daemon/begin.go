package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"

	"smartkiosk/device/board"
	"smartkiosk/kiosk/push"
	"smartkiosk/kiosk/terminal"
	"smartkiosk/store"
)

const (
	// askWait is how long the hub may take to say where a kiosk's events stand.
	askWait = 10 * time.Second
	// maxAskPause bounds the pause before it is asked again, half as much again
	// by jitter: a hub that is back is to have its kiosks back within seconds.
	maxAskPause = 5 * time.Second
)

// existed tells whether there was an outbox, of which no file is left: by the
// mark, by what is beside it, or because the hub has events of this kiosk.
// Where nothing is left and the hub does not answer, the kiosk is a new one.
func (o *outboxOpening) existed(ctx context.Context, known highWater) bool {
	if known != (highWater{}) || store.Existed(o.path) {
		return true
	}
	last, err := o.ask(ctx)
	return err == nil && last > 0
}

// begin goes on where no number is given twice, with what can be read of the
// events that may wait, and an event in the place of each that cannot. The hub
// is asked which event it has last. If it does not answer, those through the
// mark's Acked are its for sure; of the others it keeps what it has. The last
// is at most the mark's. Without a mark only the hub knows where it stood, and
// is waited for; and nobody knows how many events it never got.
func (o *outboxOpening) begin(ctx context.Context, known highWater) error {
	last, err := o.ask(ctx)
	if err != nil && known != (highWater{}) {
		o.log.Warn("the hub does not say where to go on, so the records do", "err", err)
		last, err = known.Acked, nil
	}
	if err != nil {
		o.log.Error("out of service: outbox and records are lost, and the hub does not say where to go on; it is asked until it does", "err", err)
		if last, err = o.await(ctx); err != nil {
			return fmt.Errorf("nothing can be salvaged of the outbox, and neither the records nor the hub say where to go on: %w", err)
		}
	}
	// A batch of before, which is still on its way, may bring the hub more. It
	// was made when the hub had no more than last, and so holds none but the
	// next so many events: their numbers are not for others.
	pending, most := store.Range{From: last + 1, Through: last + push.MaxEvents}, uint64(0)
	if known.Through > last {
		pending.Through, most = known.Through, known.Through
	}
	begun, err := store.Rebuild(o.path, o.journal.Clocks.Now(), pending, func(seq uint64, lost store.Range, prev []byte) (record, link []byte, err error) {
		return o.journal.Lost(seq, lost.From, min(lost.Through, most), prev)
	})
	if err != nil {
		return err
	}
	o.log.Warn("outbox begun anew", "sequence", last, "kept", begun.Kept, "lost", begun.Lost, "file", begun.DamagedFile)
	return nil
}

// ask gives the sequence number of the last event that the hub has.
func (o *outboxOpening) ask(ctx context.Context) (last uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	return o.send(ctx, nil)
}

// await asks until the hub answers, or ctx ends. The watchdog hears of it
// meanwhile: a kioskd that was killed may have left it running.
func (o *outboxOpening) await(ctx context.Context) (last uint64, err error) {
	watching, stop := context.WithCancel(ctx)
	watched, answered := make(chan struct{}), make(chan struct{})
	go func() { defer close(watched); o.watchdog.run(watching) }()
	defer func() { stop(); <-watched }()
	go func() {
		defer close(answered)
		pauses := backoff.NewExponentialBackOff()
		pauses.MaxInterval = maxAskPause
		last, err = backoff.Retry(ctx, func() (uint64, error) { return o.ask(ctx) },
			backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(0))
	}()
	beat := time.NewTicker(terminal.AliveEvery)
	defer beat.Stop()
	for {
		o.watchdog.alive(hubAsked)
		select {
		case <-beat.C:
		case <-answered:
			return last, err
		}
	}
}

// hubAsked is what must go on meanwhile for the machine not to be restarted.
const hubAsked = "asking the hub"

// askingWatchdog wants to hear of that only. Section is nil for none.
func askingWatchdog(section *board.Watchdog, log *slog.Logger) *watchdog {
	if section == nil {
		return &watchdog{}
	}
	return &watchdog{log: log, section: section.Section(), failed: make(chan struct{}, 1), open: func() (dog, error) {
		dog, err := section.Open(hubAsked)
		if err != nil {
			return nil, err // not a *cue.Watchdog that is nil
		}
		return dog, nil
	}}
}
