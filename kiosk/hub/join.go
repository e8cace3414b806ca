package hub

import (
	"bytes"
	"context"
	"encoding/json"

	"smartkiosk/kiosk/protocol/event"
)

// What a kiosk hands over joins what the hub has of it already: the answer to
// the same events may have been lost on its way. Since then the kiosk may have
// lost events of its own, with a part of its disk, and have put an event of
// event.TypeLost in the place of each. The hub keeps the events that it has. Only
// where the last one of them is such a one may the chain go on from another
// link than the hub's, which the hub says in the stream by an event of its own,
// event.TypeKept.

// join gives those of a chain of events that come after the hub's last of this
// kiosk. Known events must be the same as the hub's, or lost to the kiosk. lost is
// the event in which the kiosk says that it has lost the hub's last, if that is
// to be written down before fresh events are; otherwise nil.
func (h *Hub) join(ctx context.Context, kioskID string, last stored, events []event.Opened) (fresh []event.Opened, lost *event.Opened, err error) {
	first, final := events[0], events[len(events)-1]
	if first.Sequence > last.sequence {
		if p := misplaced(0, first, last.sequence, last.link); p != nil {
			return nil, nil, p
		}
		return events, nil, nil
	}
	n := int(min(final.Sequence, last.sequence)-first.Sequence) + 1
	for i := range n {
		if i < n-1 && !standsIn(events[i+1]) || events[i].Type == event.TypeLost {
			continue // proven by the one after it, or not to be
		}
		if err := h.same(ctx, kioskID, last, events[i], i); err != nil {
			return nil, nil, err
		}
	}
	fresh = events[n:]
	end := events[n-1]
	if end.Sequence < last.sequence || end.Type != event.TypeLost || last.link == nil ||
		len(fresh) > 0 && fresh[0].Follows(last.sequence, last.link) == nil {
		return fresh, nil, nil
	}
	return fresh, &end, nil
}

// standsIn tells whether an event need not prove the one before it: it took
// another's place when nobody may have known any more what that linked to.
func standsIn(e event.Opened) bool { return e.Type == event.TypeLost || e.Type == event.TypeParked }

// same holds e, at place i of a batch, against the event of the hub's with its
// sequence.
func (h *Hub) same(ctx context.Context, kioskID string, last stored, e event.Opened, i int) error {
	known := last
	if e.Sequence != last.sequence || last.kept {
		var err error
		if known, err = h.find(ctx, kioskID, e.Sequence, last); err != nil {
			return err
		}
	}
	if !bytes.Equal(e.Link, known.link) {
		return conflict(i, e.Sequence)
	}
	return nil
}

// publishKept writes down, behind the kiosk's message at place, that the kiosk
// has lost its last event and says so in this one.
func (h *Hub) publishKept(ctx context.Context, kioskID string, place uint64, lost event.Opened) (stored, error) {
	var said event.Lost
	_ = json.Unmarshal(lost.Payload, &said) // what cannot be read was not said; Kept has all of it
	id, err := event.NewID(h.now(), h.rand)
	if err != nil {
		return stored{}, err
	}
	text, err := event.ByTheHub(id, event.TypeKept, h.now(), event.Kept{
		Kiosk: kioskID, Sequence: lost.Sequence, From: said.From, Through: said.Through, Lost: lost.JWS,
	})
	if err != nil {
		return stored{}, err
	}
	if place, err = h.publishOne(ctx, eventsSubject+kioskID, place, text); err != nil {
		return stored{}, err
	}
	h.log.Warn("kiosk lost events that are kept here", "kiosk", kioskID, "sequence", lost.Sequence, "from", said.From, "through", said.Through)
	return stored{place: place, sequence: lost.Sequence, kept: true}, nil
}
