package demo

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// feed pulls and keeps the hub's events, as a backend does.
type feed struct {
	client   *hubapi.Client
	consumer string
	log      *slog.Logger

	mu       sync.Mutex
	events   []json.RawMessage
	last     uint64 // sequence of the kiosk's last event
	reviewed uint64 // sequence of the last event that the hub has reviewed
	owed     uint64 // sequence of the last event that the hub will review
	outcomes int
	changed  chan struct{} // closed at the next event
}

func newFeed(client *hubapi.Client, consumer string, log *slog.Logger) *feed {
	return &feed{client: client, consumer: consumer, log: log, changed: make(chan struct{})}
}

// pull runs until ctx ends.
func (f *feed) pull(ctx context.Context) {
	const most, wait, pause = 100, 20 * time.Second, time.Second
	for ctx.Err() == nil {
		events, cursor, err := f.client.Feed(ctx, f.consumer, most, wait)
		if err == nil && len(events) > 0 {
			f.add(events)
			err = f.client.AckFeed(ctx, f.consumer, cursor)
		}
		if err != nil && ctx.Err() == nil {
			f.log.Warn("cannot pull the feed", "err", err)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
}

// add keeps new events. It skips an event that comes again because its
// acknowledgement was lost. The sequence number tells, because there is one kiosk.
func (f *feed) add(events []json.RawMessage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range events {
		var head struct {
			Type     string
			Sequence uint64 `json:",string"`
			Data     json.RawMessage
		}
		if err := json.Unmarshal(e, &head); err != nil {
			f.log.Error("cannot read an event of the feed", "err", err)
			continue
		}
		switch head.Type {
		case event.TypeReview:
			var r event.Review
			if err := json.Unmarshal(head.Data, &r); err != nil || r.Sequence <= f.reviewed {
				continue
			}
			f.reviewed = r.Sequence
		default:
			if head.Sequence <= f.last {
				continue
			}
			f.last = head.Sequence
		}
		f.events = append(f.events, e)
		var v event.Visit
		if head.Type == event.TypeVisit && json.Unmarshal(head.Data, &v) == nil {
			f.outcomes++
			if event.Reviewed(v) {
				f.owed = head.Sequence
			}
		}
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

// state returns the events so far, the sequence number up to which all expected
// reviews are there too, and a channel that is closed when there are more events.
func (f *feed) state() (events []json.RawMessage, last uint64, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if last = f.last; f.reviewed < f.owed {
		last = f.owed - 1
	}
	return f.events[:len(f.events):len(f.events)], last, f.changed
}

// countOutcomes returns the number of visits whose outcome is in the feed.
func (f *feed) countOutcomes() (int, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.outcomes, f.changed
}

// follow sends past events and then new ones until ctx ends.
func (f *feed) follow(ctx context.Context) <-chan json.RawMessage {
	out := make(chan json.RawMessage)
	go func() {
		defer close(out)
		for n := 0; ; {
			events, _, changed := f.state()
			for _, e := range events[n:] {
				select {
				case out <- e:
				case <-ctx.Done():
					return
				}
			}
			n = len(events)
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
