package hub

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"

	"smartkiosk/kiosk/event"
	"smartkiosk/kiosk/hubapi"
)

func (h *Hub) takeEvents(w http.ResponseWriter, r *http.Request, c caller) error {
	batch, err := readEvents(r)
	if err != nil {
		return err
	}
	events, refusal := h.openEvents(batch, c)
	// What comes before a refused event is good and is kept.
	acknowledged, err := h.keep(r.Context(), c.Name, events)
	if err != nil {
		return err
	}
	if refusal != nil {
		return refusal
	}
	return writeJSON(w, http.StatusOK, hubapi.Acknowledgement{Acknowledged: acknowledged})
}

func readEvents(r *http.Request) ([]json.RawMessage, error) {
	body, err := readBody(r, hubapi.MediaEvents, hubapi.MaxEventsBody)
	if err != nil {
		return nil, err
	}
	batch, err := splitArray(body)
	if err != nil {
		return nil, malformed("the body is no JSON array of events")
	}
	if len(batch) > hubapi.MaxEvents {
		return nil, tooLarge(fmt.Sprintf("more than %d events in a batch", hubapi.MaxEvents))
	}
	return batch, nil
}

// openEvents opens the events of a kiosk's batch up to the first that is not
// as it must be, of which the refusal tells (nil when all are). Those returned
// are the kiosk's own and one chain.
func (h *Hub) openEvents(batch []json.RawMessage, c caller) (events []event.Opened, refusal *hubapi.Problem) {
	opened, failure := h.openAll(batch, c.cert.PublicKey)
	for i, e := range opened {
		if e.Kiosk != c.Name {
			return events, refusedEvent(i, errors.New("the event is another kiosk's"))
		}
		if i > 0 {
			before := events[i-1]
			if p := misplaced(i, e, before.Sequence, before.Link); p != nil {
				return events, p
			}
		}
		events = append(events, e)
	}
	if failure != nil {
		return events, refusedEvent(len(events), failure)
	}
	return events, nil
}

// openAll opens the events before the first that does not open, and says why
// that does not. Most of what an event costs is its cryptography, so that all
// processors take part.
func (h *Hub) openAll(batch []json.RawMessage, device crypto.PublicKey) ([]event.Opened, error) {
	opener := h.opener()
	opened, failures := make([]event.Opened, len(batch)), make([]error, len(batch))
	var next atomic.Int64
	var failed atomic.Bool
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(batch)) {
		workers.Go(func() {
			for !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= len(batch) {
					return
				}
				if opened[i], failures[i] = opener.Open(batch[i], device); failures[i] != nil {
					failed.Store(true)
				}
			}
		})
	}
	workers.Wait()
	// They are begun in their order, so that all before a failure are opened.
	for i, err := range failures {
		if err != nil {
			return opened[:i], err
		}
	}
	return opened, nil
}

// keep stores the events that the hub does not have yet, and gives the
// sequence of the last one. The events are one chain, and any number of hubs
// may do the same at once: each message of events is stored only if the last one of the
// kiosk is still the one that was looked at.
func (h *Hub) keep(ctx context.Context, kioskID string, events []event.Opened) (acknowledged uint64, err error) {
	for {
		last, err := h.lastOf(ctx, kioskID)
		if err != nil {
			return 0, err
		}
		if len(events) == 0 {
			return last.sequence, nil
		}
		fresh, lost, err := h.join(ctx, kioskID, last, events)
		if err != nil {
			return 0, err
		}
		if lost != nil {
			last.place, err = h.publishKept(ctx, kioskID, last.place, *lost)
		}
		if err == nil {
			err = h.publish(ctx, kioskID, last.place, fresh)
		}
		if errors.Is(err, errOvertaken) {
			continue // somebody stored some of these; see which
		}
		if err != nil {
			return 0, err
		}
		acknowledged = events[len(events)-1].Sequence
		if len(fresh) > 0 {
			h.log.Info("events stored", "kiosk", kioskID, "events", len(fresh), "sequence", acknowledged)
		}
		return acknowledged, nil
	}
}

// misplaced says why e, at place i of a batch, does not follow the event of
// this sequence and link; nil when it does.
func misplaced(i int, e event.Opened, sequence uint64, link []byte) *hubapi.Problem {
	switch {
	case e.Sequence != sequence+1:
		p := problem(http.StatusConflict, hubapi.KindGap, "events are missing",
			fmt.Sprintf("got sequence %d, want %d", e.Sequence, sequence+1))
		p.Wanted, p.Event = sequence+1, &i
		return p
	case e.Follows(sequence, link) != nil:
		return conflict(i, e.Sequence)
	}
	return nil
}

func conflict(i int, sequence uint64) *hubapi.Problem {
	p := problem(http.StatusConflict, hubapi.KindConflict, "not the chain of events that the hub has",
		fmt.Sprintf("sequence %d is or follows another event than the hub's", sequence))
	p.Event = &i
	return p
}

func refusedEvent(i int, err error) *hubapi.Problem {
	p := problem(http.StatusUnprocessableEntity, hubapi.KindEvent, "an event is not acceptable", err.Error())
	p.Event = &i
	return p
}
