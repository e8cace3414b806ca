package reconcile

import "testing"

// A kiosk leaves an epoch in which the hub has two histories. It stays in any other.
func TestFork(t *testing.T) {
	first := func(epoch string, id ID) event {
		return event{Event{ID: id, Place: Place{epoch, 1}, Open: &Open{}}, 1}
	}
	h, a := hub{}.receive(batch{keys: []uint8{1}, events: []event{first("e", "a")}})
	if a.fork != "" {
		t.Errorf("one history is a fork of epoch %q", a.fork)
	}
	_, a = h.receive(batch{keys: []uint8{1}, events: []event{first("e", "b")}})
	if a.fork != "e" {
		t.Fatalf("two events with the same number: fork of epoch %q", a.fork)
	}
	for epoch, leaves := range map[string]bool{"e": true, "f": false} {
		if k := (kiosk{key: 1, epoch: epoch}).handle(a, &source{}); (k.epoch != epoch) != leaves {
			t.Errorf("a kiosk in epoch %q is then in epoch %q", epoch, k.epoch)
		}
	}
}
