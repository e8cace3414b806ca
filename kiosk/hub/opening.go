package hub

import (
	"crypto"
	"encoding/json"
	"runtime"
	"sync"
	"sync/atomic"

	"smartkiosk/kiosk/protocol/event"
)

// opening opens the events of a batch while those behind them are still read.
// Most of what an event costs is its cryptography, so that all processors take
// part; but see precedence.
type opening struct {
	opener  *event.Opener
	device  crypto.PublicKey
	turns   *precedence
	events  []*openingEvent
	queue   chan *openingEvent
	failed  atomic.Int64 // the place of an event that does not open: none after it need be tried
	workers sync.WaitGroup
}

type openingEvent struct {
	place  int
	text   json.RawMessage
	opened event.Opened
	err    error
}

// readAhead is how many events may wait to be opened, so that neither who reads
// them nor who opens them waits for the other at each.
const readAhead = 64

func (h *Hub) startOpening(device crypto.PublicKey) *opening {
	const most = 1 << 62
	o := &opening{opener: h.opener(), device: device, turns: &h.turns, queue: make(chan *openingEvent, readAhead)}
	o.failed.Store(most)
	for range runtime.GOMAXPROCS(0) {
		o.workers.Go(o.work)
	}
	return o
}

func (o *opening) add(text json.RawMessage) {
	e := &openingEvent{place: len(o.events), text: text}
	o.events = append(o.events, e)
	o.queue <- e
}

func (o *opening) work() {
	for e := range o.queue {
		if int64(e.place) > o.failed.Load() {
			continue
		}
		o.turns.begin()
		e.opened, e.err = o.opener.Open(e.text, o.device)
		o.turns.end()
		if e.err != nil {
			o.failed.Store(int64(e.place)) // if two fail at once, either will do
		}
	}
}

// finish gives the events before the first that does not open, and why that does
// not.
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
