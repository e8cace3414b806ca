package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/push"
)

// TestNothingLeft removes outbox and records while the hub is down. The kiosk must
// say that it is out of service, and why. When the hub is back, the kiosk must serve
// by itself and use sequence numbers above all that it may have used before. The feed
// must name the lost events.
func TestNothingLeft(t *testing.T) {
	pcsctest.Start(t)
	s := newSite(t)
	h := s.startHub()
	p := newPerson(t, s.panel)
	k := s.startKiosk(p)
	denied := func() {
		t.Helper()
		p.sees("welcome")
		remove := s.insert("expired")
		p.sees("denied")
		remove()
		p.sees("welcome")
	}
	denied()
	s.events(2) // a start and a visit
	last := uint64(2)
	for _, lose := range []func(path string) error{os.Remove, func(path string) error { return os.Truncate(path, 0) }} {
		h.signal(syscall.SIGKILL)
		k.stop()
		if err := errors.Join(lose(s.outbox()), lose(s.bundle("state/records.db"))); err != nil {
			t.Fatal(err)
		}
		k = spawn(t, "kioskd", "run", "--config", s.config)
		k.await(`msg="out of service: outbox and records are lost, and the hub does not say where to go on; it is asked until it does"`)
		p.show(frame{})
		p.look(t.Context())
		p.sees("out-of-service")
		h = s.startHub()
		k.await("msg=ready")
		denied()

		// The first events report those that may have been lost. A start and a visit
		// follow.
		events := s.events(last + push.MaxEvents + 2)
		for i, e := range events {
			kind, data := event.TypeLost, fmt.Sprintf(`{"from":%d}`, last+1)
			switch i {
			case push.MaxEvents:
				kind, data = event.TypeStarted, string(e.data)
			case push.MaxEvents + 1:
				kind, data = event.TypeVisit, string(e.data)
			}
			if e.sequence != last+1+uint64(i) || e.kind != kind || string(e.data) != data {
				t.Fatalf("event %d is %s %s, want %d: %s %s", e.sequence, e.kind, e.data, last+1+uint64(i), kind, data)
			}
		}
		last += push.MaxEvents + 2
	}

	// A kioskd that waits for the hub ends at once on SIGTERM.
	h.stop()
	k.stop()
	if err := errors.Join(os.Remove(s.outbox()), os.Remove(s.bundle("state/records.db"))); err != nil {
		t.Fatal(err)
	}
	k = spawn(t, "kioskd", "run", "--config", s.config)
	k.await("it is asked until it does")
	k.stop()
}
