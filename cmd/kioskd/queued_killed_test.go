package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/store"
)

// stored matches the hub's log line for a batch that is on disk.
var stored = regexp.MustCompile(`msg="events stored" request=\w+ kiosk=k1 events=(\d+)`)

// awaitBatch waits until the hub has stored a batch of at least that many events. The
// kiosk sends the next one at once.
func (p *process) awaitBatch(events int) {
	p.t.Helper()
	limit := time.After(patience)
	for {
		p.mu.Lock()
		said, changed := p.said.String(), p.changed
		p.mu.Unlock()
		for _, m := range stored.FindAllStringSubmatch(said, -1) {
			if n, err := strconv.Atoi(m[1]); err == nil && n >= events {
				return
			}
		}
		select {
		case <-changed:
		case <-p.done:
			p.t.Fatalf("%s ended:\n%s", p.name, p.output())
		case <-limit:
			p.t.Fatalf("%s did not store a batch of %d events:\n%s", p.name, events, p.output())
		}
	}
}

// TestKilledWhileQueuedEventsDrain kills hub and kiosk while batches of the largest
// size, of several messages each, are in flight. The feed must have each event once
// and in order.
func TestKilledWhileQueuedEventsDrain(t *testing.T) {
	const queued, writers = 360, 8 // of 54 KB each
	const batch = 30               // events of the largest batches, of 2 MiB; they begin small
	s := newSite(t)
	j, _, done := s.journal(store.Options{})
	var writing sync.WaitGroup
	token := fmt.Appendf(nil, `{"pad":%q}`, strings.Repeat("x", 30_000))
	for range writers {
		writing.Go(func() {
			for range queued / writers {
				if err := j.Write(t.Context(), kiosk.Record{Visit: "v", Outcome: kiosk.Granted, Nonce: "n", Token: token}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()
	done()

	h := s.startHub()
	serve := func() *process {
		k := spawn(t, "kioskd", "run", "--config", s.config)
		k.await("msg=ready")
		return k
	}
	k := serve()
	starts := 1
	for _, kill := range []struct{ hub, kiosk bool }{{true, false}, {false, true}, {true, true}} {
		h.awaitBatch(batch)
		if kill.hub {
			h.signal(syscall.SIGKILL)
		}
		if kill.kiosk {
			k.signal(syscall.SIGKILL)
		}
		if kill.kiosk && !kill.hub {
			h.stop() // so that later output belongs to later batches
			kill.hub = true
		}
		if kill.hub {
			h = s.startHub()
		}
		if kill.kiosk {
			k = serve()
			starts++
		}
	}
	events := s.events(1 + queued + uint64(starts))
	for i, e := range events {
		want := event.TypeVisit
		switch {
		case i == 0:
			want = event.TypeEpoch
		case i > queued:
			want = event.TypeStarted
		}
		if e.sequence != uint64(i+1) || e.kind != want {
			t.Fatalf("event %d of the feed is %d, %s", i+1, e.sequence, e.kind)
		}
	}
	k.stop()
	h.stop()
}
