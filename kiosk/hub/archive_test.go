package hub

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// fed is an event as a consumer gets it.
type fed struct {
	ID, Source, Type, Epoch, Sequence, JWS, Link string
	EvidenceRemoved                              bool
	Data                                         struct{ Evidence, Holder json.RawMessage }
}

// all returns the feed from its beginning, pulled in batches of at most max events.
func (p *party) all(max int) (events []fed) {
	p.t.Helper()
	for pull := (hubapi.Pull{Max: max, After: "0"}); ; {
		texts, cursor, err := p.Pull(p.t.Context(), p.id, pull)
		if err != nil {
			p.t.Fatal(err)
		}
		if len(texts) == 0 {
			return events
		}
		for _, text := range texts {
			var e fed
			if err := json.Unmarshal(text, &e); err != nil {
				p.t.Fatal(err)
			}
			events = append(events, e)
		}
		pull.After = cursor
	}
}

// has compares events with "kiosk/sequence", or with "-kiosk/sequence" without evidence.
func (p *party) has(events []fed, want ...string) {
	p.t.Helper()
	var got []string
	for _, e := range events {
		text := strings.TrimPrefix(e.Source, event.SourcePrefix) + "/" + strings.TrimLeft(e.Sequence, "0")
		if e.EvidenceRemoved {
			text = "-" + text
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("the feed has %s, want %s", got, want)
	}
}

// archive moves the events up to a place to the archive.
func (h *Hub) archiveUpTo(t testing.TB, place uint64) {
	t.Helper()
	info, err := streamInfo(t.Context(), h.events)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.archiveThrough(t.Context(), info, place); err != nil {
		t.Fatal(err)
	}
}

// reviewed waits until the hubs have reviewed all events.
func (b *bed) reviewed(t *testing.T, h *Hub) {
	t.Helper()
	eventually(t, func() error {
		c, err := h.events.Consumer(t.Context(), reviewer)
		if err == nil && c.CachedInfo().NumPending+uint64(c.CachedInfo().NumAckPending) > 0 {
			err = errors.New("the reviews are not done")
		}
		return err
	})
}

// Evidence is deleted after 90 days, but not before all required consumers have acknowledged its
// event. The event stays for 400 days.
func TestEvidenceIsDeleted(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, office, slow := b.kiosk(url, "k1"), b.consumer(url, "office"), b.consumer(url, "slow")
	cfg, err := Load(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	h := b.retaining(cfg.Retention)
	visit := offlineVisit(t, b, "valid")
	visit.Offline, visit.Basis = false, nil
	for i := range 3 {
		k1.send(k1.visits(b.now(), visit), uint64(i+1))
	}
	b.reviewed(t, h)
	day := 0
	// At the start of a day there was an event an hour ago.
	begin := func(of int) {
		t.Helper()
		b.advance(time.Duration(of-day) * 24 * time.Hour)
		day = of
		info, err := streamInfo(t.Context(), h.events)
		if err != nil {
			t.Fatal(err)
		}
		info.State.LastTime = b.now().Add(-time.Hour)
		if err := h.deleteExpired(t.Context(), info); err != nil {
			t.Fatal(err)
		}
	}
	office.ack(office.pulled(10, "k1/1", "k1/2", "k1/3"))
	slow.ack(slow.pulled(1, "k1/1"))
	begin(89)
	office.has(office.all(10), "k1/1", "k1/2", "k1/3")
	begin(91)
	office.has(office.all(10), "-k1/1", "k1/2", "k1/3")
	slow.ack(slow.pulled(10, "k1/2", "k1/3"))
	begin(91)
	events := office.all(10)
	office.has(events, "-k1/1", "-k1/2", "k1/3") // the last message of the stream stays
	for i, e := range events {
		removed := i < 2
		if (e.JWS == "") != removed || (e.Data.Evidence == nil) != removed || e.EvidenceRemoved != removed || e.Data.Holder == nil {
			t.Errorf("event %d: %+v", i+1, e)
		}
	}
	// The link proves what an earlier copy of the evidence says.
	third, err := verifiedPayload(events[2].JWS)
	if err != nil || third.Prev != events[1].Link || len(events[1].Link) != 43 {
		t.Errorf("the event after it links to %q, %v; its link is %q", third.Prev, err, events[1].Link)
	}
	begin(399)
	office.has(office.all(10), "-k1/1", "-k1/2", "k1/3")
	begin(401)
	office.has(office.all(10), "k1/3")
	k1.send(k1.events(1), 4)
	begin(401)
	office.has(office.all(10), "k1/4")
}

func verifiedPayload(jws string) (payload struct{ Prev string }, err error) {
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		return payload, fmt.Errorf("not a JWS: %q", jws)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(text, &payload)
	}
	return payload, err
}

// A hub that stops between any two steps of the move to the archive loses nothing and repeats
// nothing: the feed always has each event once, in order.
func TestFeedWhileArchiving(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			b := newBed(t)
			url := b.serve()
			hubs := []*Hub{b.open(), b.open()}
			kiosks := []*party{b.kiosk(url, "k1"), b.kiosk(url, "k2")}
			office := b.consumer(url, "office")
			var want []string
			for range 40 {
				h, k := hubs[r.IntN(2)], kiosks[r.IntN(2)]
				info, err := streamInfo(t.Context(), h.events)
				if err != nil {
					t.Fatal(err)
				}
				place := info.State.LastSeq - min(info.State.LastSeq, 1+r.Uint64N(4))
				switch r.IntN(4) {
				case 0, 1:
					n := 1 + r.IntN(3)
					k.send(k.events(n), k.sequence)
					for i := range n {
						want = append(want, fmt.Sprintf("%s/%d", k.id, int(k.sequence)-n+1+i))
					}
				case 2: // the hub stops before it deletes from the stream
					if place > 0 {
						if _, _, err := h.copyToArchive(t.Context(), place); err != nil {
							t.Fatal(err)
						}
					}
				case 3:
					h.archiveUpTo(t, place)
				}
				var got []string
				for _, e := range office.all(1 + r.IntN(9)) {
					got = append(got, strings.TrimPrefix(e.Source, event.SourcePrefix)+"/"+strings.TrimLeft(e.Sequence, "0"))
				}
				if !slices.Equal(got, want) {
					t.Fatalf("the feed has %s, want %s", got, want)
				}
			}
			if len(want) == 0 {
				t.Error("no event was sent")
			}
		})
	}
}

// Several hubs archive at the same time, while a kiosk sends and a consumer reads.
func TestArchivingAtOnce(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	hubs := []*Hub{b.open(), b.open()}
	k1, office := b.kiosk(url, "k1"), b.consumer(url, "office")
	const events = 60
	k1.send(k1.events(1), 1)
	var working sync.WaitGroup
	stop := make(chan struct{})
	for _, h := range hubs {
		working.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				info, err := streamInfo(t.Context(), h.events)
				if err == nil {
					err = h.archiveThrough(t.Context(), info, info.State.LastSeq-1)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var places []string
	cursor := "0"
	for len(places) < events {
		if k1.sequence < events {
			k1.send(k1.events(1), k1.sequence)
		}
		texts, next, err := office.Pull(t.Context(), "office", hubapi.Pull{Max: 7, After: cursor})
		if problem, ok := errors.AsType[*hubapi.Problem](err); ok && problem.Status == 503 {
			continue // it met an event that was just being moved
		}
		if err != nil {
			t.Fatal(err)
		}
		places, cursor = append(places, office.places(texts)...), next
	}
	close(stop)
	working.Wait()
	var want []string
	for i := range events {
		want = append(want, fmt.Sprintf("k1/%d", i+1))
	}
	if !slices.Equal(places, want) {
		t.Errorf("the feed had %s", places)
	}
	if got := office.all(100); len(got) != events || !got[0].EvidenceRemoved {
		t.Errorf("at the end the feed has %d events", len(got))
	}
}

// A kiosk whose events are all archived goes on, and the hubs still know each of them.
func TestKioskAfterItsEventsWereArchived(t *testing.T) {
	b := newBed(t)
	url, otherURL := b.serve(), b.serve()
	h := b.open()
	k1, k2, office := b.kiosk(url, "k1"), b.kiosk(url, "k2"), b.consumer(url, "office")
	first := slices.Concat(k1.events(1), k1.events(1), k1.events(3))
	k1.send(first[:1], 1)
	k1.send(first[1:2], 2)
	k1.to(otherURL).send(first[2:3], 3) // the hub at url knows of two events
	k1.to(otherURL).send(first[3:], 5)
	k2.send(k2.events(1), 1)
	h.archiveUpTo(t, 4)
	want := []string{"-k1/1", "-k1/2", "-k1/3", "-k1/4", "-k1/5", "k2/1"}
	office.has(office.all(10), want...)
	for _, k := range []*party{k1, k1.to(otherURL)} {
		for i := range first { // each is recognised
			k.send(first[:i+1], uint64(i+1))
			k.send(first[i:i+1], uint64(i+1))
		}
		k.send(nil, 5)
	}
	office.has(office.all(10), want...)
	k1.send(k1.events(1), 6)
	office.has(office.all(10), append(want, "k1/6")...)
}
