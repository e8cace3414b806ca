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
	// askWait limits how long the kiosk waits for the hub to answer which event it has
	// last.
	askWait = 10 * time.Second
	// maxAskPause is the longest interval between two attempts to ask the hub. Jitter
	// adds up to half of it. It is short so that kiosks serve again within seconds
	// after the hub is back.
	maxAskPause = 5 * time.Second
)

// existed reports whether the kiosk had an outbox before, although its file is missing.
// It had one if there is a high-water mark, if other files of the outbox are in the
// folder, or if the hub has events of this kiosk. If the kiosk has no trace of an
// outbox and the hub does not answer, the kiosk is considered new.
func (o *outboxOpening) existed(ctx context.Context, known highWater) bool {
	if known != (highWater{}) || store.Existed(o.path) {
		return true
	}
	last, err := o.ask(ctx)
	return err == nil && last > 0
}

// begin makes a new outbox that continues after the last event that the hub has, so
// that no sequence number is used twice. It covers the events after that one: it keeps
// the readable ones, and writes a "lost" event in the place of each unreadable one.
//
// If the hub does not answer, begin uses the mark: the hub is known to have all events
// up to Acked, and it ignores those that it has already. The mark's Through is the
// upper limit. Without a mark only the hub knows the last event, so begin waits for its
// answer. In that case the number of lost events is unknown.
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
	// A batch that was sent earlier may still arrive at the hub. It was made when the
	// hub had no event after last, so it contains at most the next push.MaxEvents
	// events. Their sequence numbers stay reserved.
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
	o.log.Warn("outbox rebuilt", "sequence", last, "kept", begun.Kept, "lost", begun.Lost, "file", begun.DamagedFile)
	return nil
}

// ask returns the sequence number of the last event that the hub has.
func (o *outboxOpening) ask(ctx context.Context) (last uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	return o.send(ctx, nil)
}

// await asks the hub again and again until it answers or ctx ends. Meanwhile it feeds
// the watchdog, because an earlier kioskd that was killed may have left the watchdog
// running.
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
		o.service.StartingFor(serviceWait, "out of service: waits for the hub to say which event was the last")
		select {
		case <-beat.C:
		case <-answered:
			return last, err
		}
	}
}

// serviceWait is the time that the service manager gives a kiosk that waits for the hub,
// after each sign of progress.
const serviceWait = time.Minute

// hubAsked is the watchdog condition of await: without progress in asking the hub, the
// machine restarts.
const hubAsked = "asking the hub"

// askingWatchdog returns a watchdog whose only condition is hubAsked. section is nil if
// the kiosk has no watchdog.
func askingWatchdog(section *board.Watchdog, log *slog.Logger) *watchdog {
	if section == nil {
		return &watchdog{}
	}
	return &watchdog{log: log, section: section.Section(), failed: make(chan struct{}, 1), open: func() (dog, error) {
		dog, err := section.Open(hubAsked)
		if err != nil {
			return nil, err // a nil *cue.Watchdog in the interface would not be nil
		}
		return dog, nil
	}}
}
