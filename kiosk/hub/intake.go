package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/event/scan"
	"smartkiosk/kiosk/protocol/hubapi"
)

func (h *Hub) takeEvents(w http.ResponseWriter, r *http.Request, c caller) error {
	body, err := apihttp.Body(r, hubapi.MediaEvents, hubapi.MaxEventsBody)
	if err != nil {
		return err
	}
	opening := startOpening(h.opener(), c.cert.PublicKey, &h.scheduler, h.log)
	err = readEvents(body, opening.add)
	opened, failure := opening.finish()
	if err != nil {
		return err
	}
	if _, panicked := errors.AsType[panicError](failure); panicked {
		return failure
	}
	events, refusal := chainOf(c.Name, opened, failure)
	// What comes before a refused event is good and is kept.
	acknowledged, err := h.keep(r.Context(), c.Name, events)
	if err != nil {
		return err
	}
	if refusal != nil {
		return refusal
	}
	return apihttp.WriteJSON(w, http.StatusOK, hubapi.Acknowledgement{Acknowledged: acknowledged})
}

// readEvents reads a batch to its end and gives each of its events to add.
func readEvents(body io.Reader, add func(json.RawMessage)) error {
	n := 0
	err := scan.Array(body, func(text []byte) error {
		if n++; n > hubapi.MaxEvents {
			return apihttp.TooLarge(fmt.Sprintf("more than %d events in a batch", hubapi.MaxEvents))
		}
		add(text)
		return nil
	})
	if _, refused := errors.AsType[*hubapi.Problem](err); err == nil || refused {
		return err
	}
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return apihttp.TooLarge("the body is too large")
	}
	return apihttp.Malformed("the body is no JSON array of events")
}

// chainOf gives the events of a kiosk's batch up to the first that is not as it
// must be, of which the refusal tells (nil when all are): the one after those that
// were opened, if failure says that it was not, or one of them. Those returned
// are the kiosk's own and one chain.
func chainOf(kioskID string, opened []event.Opened, failure error) (events []event.Opened, refusal *hubapi.Problem) {
	for i, e := range opened {
		if e.Kiosk != kioskID {
			return opened[:i], refusedEvent(i, errors.New("the event is another kiosk's"))
		}
		if i > 0 {
			if p := misplaced(i, e, opened[i-1].Sequence, opened[i-1].Link); p != nil {
				return opened[:i], p
			}
		}
	}
	if failure != nil {
		return opened, refusedEvent(len(opened), failure)
	}
	return opened, nil
}

// keep stores the events that the hub does not have yet, and gives the
// sequence of the last one. The events are one chain, and any number of hubs
// may do the same at once: each message of events is stored only if the last one of the
// kiosk is still the one that was looked at.
func (h *Hub) keep(ctx context.Context, kioskID string, events []event.Opened) (acknowledged uint64, err error) {
	// To read the last one again after a backlog is to read half a megabyte.
	if last, ok := h.lastEvents.Load(kioskID); ok && len(events) > 0 {
		if err := h.keepAfter(ctx, kioskID, last.(stored), events); err == nil {
			return events[len(events)-1].Sequence, nil
		}
		// It may not be the last any more.
	}
	for {
		last, err := h.lastOf(ctx, kioskID)
		if err != nil {
			return 0, err
		}
		if len(events) == 0 {
			return last.sequence, nil
		}
		err = h.keepAfter(ctx, kioskID, last, events)
		if errors.Is(err, errOvertaken) {
			continue // somebody stored some of these; see which
		}
		if err != nil {
			return 0, err
		}
		return events[len(events)-1].Sequence, nil
	}
}

// keepAfter is keep where last is the kiosk's last one. It fails with errOvertaken
// when it is not.
func (h *Hub) keepAfter(ctx context.Context, kioskID string, last stored, events []event.Opened) error {
	fresh, lost, err := h.join(ctx, kioskID, last, events)
	if err != nil {
		return err
	}
	if lost != nil {
		if last, err = h.publishKept(ctx, kioskID, last.place, *lost); err != nil {
			return err
		}
	}
	if len(fresh) > 0 {
		if last, err = h.publish(ctx, kioskID, last.place, fresh); err != nil {
			return err
		}
		h.log.Info("events stored", "kiosk", kioskID, "events", len(fresh), "sequence", last.sequence)
	}
	h.lastEvents.Store(kioskID, last)
	return nil
}

// misplaced says why e, at place i of a batch, does not follow the event of
// this sequence and link; nil when it does.
func misplaced(i int, e event.Opened, sequence uint64, link []byte) *hubapi.Problem {
	switch {
	case e.Sequence != sequence+1:
		p := apihttp.Problem(http.StatusConflict, hubapi.KindGap, "events are missing",
			fmt.Sprintf("got sequence %d, want %d", e.Sequence, sequence+1))
		p.Wanted, p.Event = sequence+1, &i
		return p
	case e.Follows(sequence, link) != nil:
		return conflict(i, e.Sequence)
	}
	return nil
}

func conflict(i int, sequence uint64) *hubapi.Problem {
	p := apihttp.Problem(http.StatusConflict, hubapi.KindConflict, "not the chain of events that the hub has",
		fmt.Sprintf("sequence %d is or follows another event than the hub's", sequence))
	p.Event = &i
	return p
}

func refusedEvent(i int, err error) *hubapi.Problem {
	p := apihttp.Problem(http.StatusUnprocessableEntity, hubapi.KindEvent, "an event is not acceptable", err.Error())
	p.Event = &i
	return p
}
