package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

func (h *Hub) takeEvents(w http.ResponseWriter, r *http.Request, c caller) error {
	body, err := apihttp.Body(r, hubapi.MediaEvents, hubapi.MaxEventsBody)
	if err != nil {
		return err
	}
	end := h.limiter.beginBatch(r.Context(), c.Identity, func() {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now())
	})
	if end == nil {
		return notReady()
	}
	opening := startOpening(h.opener(), h.deviceKeys(c), &h.scheduler, h.log)
	err = readEvents(body, opening.add)
	opened, failure := opening.finish()
	end()
	if err != nil {
		return err
	}
	events, refusal := chainOf(c.Name, opened, failure)
	// The events before a refused event are valid, and the hub stores them.
	acknowledged, err := h.keep(r.Context(), c.Name, events)
	if err != nil {
		return err
	}
	if refusal != nil {
		return refusal
	}
	return apihttp.WriteJSON(w, http.StatusOK, hubapi.Acknowledgement{Acknowledged: acknowledged})
}

// readEvents reads a batch to its end and calls add with each event.
func readEvents(body io.Reader, add func(json.RawMessage)) error {
	n := 0
	err := event.ReadBatch(body, func(text []byte) error {
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
	return apihttp.Malformed("the body is not a JSON array of events")
}

// chainOf checks a kiosk's batch. It returns the events up to the first bad one, and a
// refusal for that one (nil if all are good). The events that it returns belong to this
// kiosk and form one chain. failure says why the event after opened could not be opened.
func chainOf(kioskID string, opened []event.Opened, failure error) (events []event.Opened, refusal *hubapi.Problem) {
	for i, e := range opened {
		if e.Kiosk != kioskID {
			return opened[:i], refusedEvent(i, errors.New("the event belongs to another kiosk"))
		}
		if i > 0 {
			if p := misplaced(i, e, opened[i-1].Sequence, opened[i-1].Link); p != nil {
				return opened[:i], p
			}
		}
	}
	if _, panicked := errors.AsType[panicError](failure); panicked {
		// The log has the details. The kiosk must not send this event for ever: it makes a
		// dead letter of it if the hub accepts later events.
		failure = errors.New("the hub has failed to open it")
	}
	if failure != nil {
		return opened, refusedEvent(len(opened), failure)
	}
	return opened, nil
}

// keep stores those events that the hub does not have yet, and returns the sequence
// number of the last one. events are one chain. Several hubs may do this for the same
// kiosk at the same time: JetStream stores a message only if the kiosk's last message is
// still the one that this hub has checked.
func (h *Hub) keep(ctx context.Context, kioskID string, events []event.Opened) (acknowledged uint64, err error) {
	// The cache saves reading half a megabyte from the stream after a backlog.
	if last, ok := h.lastEvents.Load(kioskID); ok && len(events) > 0 {
		if err := h.keepAfter(ctx, kioskID, last.(stored), events); err == nil {
			return events[len(events)-1].Sequence, nil
		}
		// The cached event may no longer be the last one.
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
			continue // another hub stored some of these; find out which
		}
		if err != nil {
			return 0, err
		}
		return events[len(events)-1].Sequence, nil
	}
}

// keepAfter stores events after last, the kiosk's last event. It fails with errOvertaken
// if the stream has a later one.
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

// misplaced checks that e, at index i of a batch, follows the event with this sequence
// number and link. It returns nil if it does.
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
	p := apihttp.Problem(http.StatusConflict, hubapi.KindConflict, "the hub has another chain of events",
		fmt.Sprintf("sequence %d differs from the hub's event, or follows another one", sequence))
	p.Event = &i
	return p
}

func refusedEvent(i int, err error) *hubapi.Problem {
	p := apihttp.Problem(http.StatusUnprocessableEntity, hubapi.KindEvent, "an event is not valid", err.Error())
	p.Event = &i
	return p
}
