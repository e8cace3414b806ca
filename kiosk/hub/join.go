package hub

import (
	"bytes"
	"context"
	"encoding/json"

	"smartkiosk/kiosk/protocol/event"
)

// A kiosk may send events that the hub already has, for example when the hub's answer
// got lost. In the meantime the kiosk may have lost some of those events itself, with a
// part of its disk. It then sends an event of type event.TypeLost in the place of each.
// The hub keeps the events that it has. If the kiosk has lost the hub's last event, its
// chain continues from another link than the hub's. The hub then records this in the
// stream with an event of its own, event.TypeKept.

// join returns the events of a chain that come after last, the hub's last event of this
// kiosk. The events up to last must equal the hub's, unless the kiosk has lost them.
// lost is the event with which the kiosk says that it has lost the hub's last event, if
// the hub must record that before it stores fresh; otherwise nil.
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
			continue // the next event's link proves this one; a lost event cannot be proven
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

// standsIn reports whether an event took the place of another one. Such an event does not
// prove the event before it, because the kiosk may no longer have known that link.
func standsIn(e event.Opened) bool { return e.Type == event.TypeLost || e.Type == event.TypeParked }

// same compares e, the event at index i of a batch, with the hub's event that has the
// same sequence number.
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

// publishKept stores, after the kiosk's message at place, a note that the kiosk has lost
// the hub's last event and says so in the event lost.
func (h *Hub) publishKept(ctx context.Context, kioskID string, place uint64, lost event.Opened) (stored, error) {
	var said event.Lost
	_ = json.Unmarshal(lost.Payload, &said) // the range is for the reader only; Kept holds the whole event
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
	h.log.Warn("kiosk lost events that the hub still has", "kiosk", kioskID, "sequence", lost.Sequence, "from", said.From, "through", said.Through)
	return stored{place: place, sequence: lost.Sequence, kept: true}, nil
}
