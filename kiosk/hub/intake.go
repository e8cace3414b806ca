package hub

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/reconcile"
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
	keys, err := h.signingKeys(r, c)
	if err != nil {
		end()
		return err
	}
	opening := startOpening(h.opener(), keys, &h.scheduler, h.log)
	err = readEvents(body, opening.add)
	opened, failure := opening.finish()
	end()
	if err != nil {
		return err
	}
	if errors.Is(failure, event.ErrHubKey) && h.config.Seal.Reload(h.log) {
		return notReady() // the kiosk knew of the new key first, and sends the batch again
	}
	events, refusal := check(c.Name, opened, failure)
	// The events before a refused event are valid, and the hub stores them.
	k, err := h.keep(r.Context(), c.Name, events)
	if err != nil {
		return err
	}
	h.limiter.store(c.Identity, opening.size(len(events)))
	if k.gap >= 0 {
		return gapProblem(k, events[k.gap])
	}
	if refusal != nil {
		return refusal
	}
	last := k.newest()
	if len(events) > 0 {
		last = events[len(events)-1].ref.Place
	}
	answer := hubapi.Acknowledgement{Epoch: last.Epoch, Acknowledged: last.Sequence, Conflict: k.Forked(last.Epoch)}
	for _, o := range k.Missing() {
		answer.Missing = append(answer.Missing, hubapi.LostEvents{Epoch: o.Epoch, From: o.From, Through: o.Through})
	}
	return apihttp.WriteJSON(w, http.StatusOK, answer)
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

// check checks a kiosk's batch. It returns the events up to the first bad one, and a refusal
// for that one (nil if all are good). failure says why the event after opened could not be
// opened.
func check(kioskID string, opened []event.Opened, failure error) (events []incoming, refusal *hubapi.Problem) {
	for i, e := range opened {
		in, err := newIncoming(e)
		if e.Kiosk != kioskID {
			err = errors.New("the event belongs to another kiosk")
		}
		if err != nil {
			return events, refusedEvent(i, err)
		}
		events = append(events, in)
	}
	if _, panicked := errors.AsType[panicError](failure); panicked {
		// The log has the details. The kiosk must not send this event for ever: it makes a
		// dead letter of it if the hub accepts later events.
		failure = errors.New("the hub has failed to open it")
	}
	if failure != nil {
		return events, refusedEvent(len(events), failure)
	}
	return events, nil
}

// gapProblem says what the hub has, so that the kiosk can send what is missing.
func gapProblem(k kept, e incoming) *hubapi.Problem {
	loss := reconcile.Loss(e.ref.Place, e.ref.ID, k.Branches)
	p := apihttp.Problem(http.StatusConflict, hubapi.KindGap, "events are missing",
		fmt.Sprintf("the hub does not have the event before sequence %d", e.Sequence))
	p.Event, p.Wanted = &k.gap, cmp.Or(loss.From, e.Sequence)
	for _, b := range k.Branches {
		p.Has = append(p.Has, hubapi.Branch{Epoch: b.Epoch, First: b.First, Last: b.Last, Link: []byte(b.Tip)})
	}
	return p
}

func refusedEvent(i int, err error) *hubapi.Problem {
	kind, title := hubapi.KindEvent, "an event is not valid"
	if errors.Is(err, event.ErrDeviceKey) {
		kind, title = hubapi.KindDeviceKey, "the key of an event is not known"
	}
	p := apihttp.Problem(http.StatusUnprocessableEntity, kind, title, err.Error())
	p.Event = &i
	return p
}
