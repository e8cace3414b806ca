package cardsim_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/slot"
)

// askPUK reads the tries left of the PUK.
var askPUK = []byte{0x00, 0x20, 0x00, 0x83}

func TestSlotConnect(t *testing.T) {
	p := newPKI(t)
	ctx := t.Context()
	s := cardsim.NewSlot("test slot")
	if _, err := s.Connect(ctx); !errors.Is(err, slot.ErrNoCard) {
		t.Errorf("empty slot: %v", err)
	}
	s.Insert(p.Cards["mute"])
	if _, err := s.Connect(ctx); !errors.Is(err, slot.ErrNoCard) {
		t.Errorf("mute card: %v", err)
	}

	s.Insert(p.Cards["valid"])
	c, err := s.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(c.ATR(), p.Cards["valid"].ATR()) {
		t.Errorf("ATR %X", c.ATR())
	}
	if _, err := s.Connect(ctx); err == nil || errors.Is(err, slot.ErrNoCard) {
		t.Errorf("claimed twice: %v", err)
	}
	verifyPUK := []byte("\x00\x20\x00\x83\x08" + "12345678")
	for _, command := range [][]byte{verifyPUK, askPUK} {
		if response, err := c.Transmit(ctx, command); err != nil || !bytes.Equal(response, []byte{0x90, 0x00}) {
			t.Errorf("%X: %X, %v", command, response, err)
		}
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Transmit(ctx, askPUK); !errors.Is(err, slot.ErrNoCard) {
		t.Errorf("closed: %v", err)
	}

	// The next user gets a card that was reset.
	next, err := s.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil { // must not close what is not its own
		t.Error(err)
	}
	if response, err := next.Transmit(ctx, askPUK); err != nil || !bytes.Equal(response, []byte{0x63, 0xC3}) {
		t.Errorf("verified PUK after a reset: %X, %v", response, err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := next.Transmit(cancelled, askPUK); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	s.Remove()
	if _, err := next.Transmit(ctx, askPUK); !errors.Is(err, slot.ErrNoCard) {
		t.Errorf("removed: %v", err)
	}
	s.Insert(p.Cards["valid"])
	if _, err := next.Transmit(ctx, askPUK); !errors.Is(err, slot.ErrNoCard) {
		t.Errorf("removed and inserted again: %v", err)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
}

func TestSlotWatch(t *testing.T) {
	p := newPKI(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := cardsim.NewSlot("test slot")
		events := s.Watch(ctx)
		expect := func(want ...slot.State) {
			t.Helper()
			for _, state := range want {
				synctest.Wait()
				select {
				case e := <-events:
					if e.State != state || e.Reader != "test slot" || (e.ATR != nil) != (state == slot.Present) {
						t.Fatalf("event %+v, want %v", e, state)
					}
				default:
					t.Fatalf("no event, want %v", state)
				}
			}
			synctest.Wait()
			select {
			case e, open := <-events:
				t.Fatalf("one event too many: %+v, %v", e, open)
			default:
			}
		}
		expect(slot.Empty)
		s.Insert(p.Cards["valid"])
		expect(slot.Present)
		s.Insert(p.Cards["expired"]) // swapped
		expect(slot.Empty, slot.Present)
		s.Remove()
		s.Insert(p.Cards["expired"]) // out and in between two looks
		expect(slot.Empty, slot.Present)
		s.Remove()
		expect(slot.Empty)
		s.Insert(p.Cards["mute"])
		expect(slot.Mute)
		s.Insert(p.Cards["valid"])
		expect(slot.Empty, slot.Present)
		cancel()
		synctest.Wait()
		if _, open := <-events; open {
			t.Error("events go on after the context")
		}
	})
}

// TestSlotWatchSlowly checks that a slow receiver misses past states, but always gets
// the current one.
func TestSlotWatchSlowly(t *testing.T) {
	p := newPKI(t)
	synctest.Test(t, func(t *testing.T) {
		s := cardsim.NewSlot("test slot")
		events := s.Watch(t.Context())
		synctest.Wait() // Empty waits to be received
		s.Insert(p.Cards["valid"])
		s.Remove()
		s.Insert(p.Cards["mute"])
		for _, want := range []slot.State{slot.Empty, slot.Mute} {
			if e := <-events; e.State != want {
				t.Errorf("event %+v, want %v", e, want)
			}
		}
		s.Remove()
		s.Insert(p.Cards["valid"])
		s.Remove()
		if e := <-events; e.State != slot.Empty {
			t.Errorf("event %+v, want %v", e, slot.Empty)
		}
	})
}
