package hub

import (
	"crypto"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"smartkiosk/kiosk/protocol/event"
)

// opening opens the events of a batch while the rest of the batch is still being
// read. Cryptography is most of the cost of an event, so all processors take part,
// as far as the scheduler lets them.
type opening struct {
	opener    eventOpener
	keys      []crypto.PublicKey // of the kiosk, former ones included
	scheduler *scheduler
	log       *slog.Logger
	events    []*openingEvent
	queue     chan *openingEvent
	failed    atomic.Int64 // index of an event that does not open; later events need not be tried
	workers   sync.WaitGroup
}

// eventOpener is event.Opener.
type eventOpener interface {
	Open(cloudEvent []byte, device ...crypto.PublicKey) (event.Opened, error)
}

type openingEvent struct {
	index  int
	text   json.RawMessage
	opened event.Opened
	err    error
}

// openingQueue is how many events may wait to be opened, so that neither the reader
// nor the workers wait for each other at every event.
const openingQueue = 64

func startOpening(opener eventOpener, keys []crypto.PublicKey, s *scheduler, log *slog.Logger) *opening {
	const none = 1 << 62
	o := &opening{opener: opener, keys: keys, scheduler: s, log: log, queue: make(chan *openingEvent, openingQueue)}
	o.failed.Store(none)
	for range runtime.GOMAXPROCS(0) {
		o.workers.Go(o.work)
	}
	return o
}

func (o *opening) add(text json.RawMessage) {
	e := &openingEvent{index: len(o.events), text: text}
	o.events = append(o.events, e)
	o.queue <- e
}

func (o *opening) work() {
	for e := range o.queue {
		if int64(e.index) > o.failed.Load() {
			continue
		}
		o.scheduler.beginOpening()
		e.opened, e.err = o.open(e.text)
		o.scheduler.endOpening()
		if e.err != nil {
			o.failed.Store(int64(e.index)) // if two fail at the same time, either index will do
		}
	}
}

// panicError holds what a worker panicked with.
type panicError struct{ value any }

func (e panicError) Error() string { return fmt.Sprint("panic: ", e.value) }

// open opens one event. A panic, for which net/http would only recover in the
// request's own goroutine, becomes an error, so that it ends this request only.
func (o *opening) open(text json.RawMessage) (opened event.Opened, err error) {
	defer func() {
		if v := recover(); v != nil {
			o.log.Error("opening an event panicked", "err", v, "stack", string(debug.Stack()))
			opened, err = event.Opened{}, panicError{v}
		}
	}()
	return o.opener.Open(text, o.keys...)
}

// finish waits for the workers. It returns the events before the first one that does
// not open, and why that one does not open.
func (o *opening) finish() (opened []event.Opened, failure error) {
	close(o.queue)
	o.workers.Wait()
	for _, e := range o.events {
		if e.err != nil {
			return opened, e.err
		}
		opened = append(opened, e.opened)
	}
	return opened, nil
}

// size returns the length of the first n events.
func (o *opening) size(n int) (bytes int64) {
	for _, e := range o.events[:n] {
		bytes += int64(len(e.text))
	}
	return bytes
}
