package reconcile

import "testing"

// A kiosk leaves an epoch in which the hub has two histories. It stays in any other.
func TestFork(t *testing.T) {
	event := func(epoch uint8, id ID) Event { return Event{ID: id, Epoch: epoch, Sequence: 1, Key: 1} }
	hub, a := Hub{}.Receive(Batch{Keys: []uint8{1}, Events: []Event{event(1, 1)}})
	if a.Fork != 0 {
		t.Errorf("one history is a fork of epoch %d", a.Fork)
	}
	_, a = hub.Receive(Batch{Keys: []uint8{1}, Events: []Event{event(1, 2)}})
	if a.Fork != 1 {
		t.Fatalf("two events with the same number: fork of epoch %d", a.Fork)
	}
	for epoch, want := range map[uint8]uint8{1: 0, 2: 2} {
		if k := (Kiosk{Key: 1, Epoch: epoch}).Handle(a, &Source{}); k.Epoch != want {
			t.Errorf("a kiosk in epoch %d is then in epoch %d, want %d", epoch, k.Epoch, want)
		}
	}
}
