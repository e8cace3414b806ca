package hub

import (
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
)

// The figures of Sizing are those of a real stream, to 10 %.
func TestSizing(t *testing.T) {
	b := newBed(t)
	url, h := b.serve(), b.open()
	state := func(s jetstream.Stream) jetstream.StreamState {
		t.Helper()
		info, err := streamInfo(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return info.State
	}
	kiosks := 0
	measure := func(name string, constant, archived float64, events func(k *party) []json.RawMessage) {
		t.Helper()
		kiosks++
		k := b.kiosk(url, "lobby-"+string(rune('0'+kiosks)))
		k.answer(k.begin(event.Epoch{Why: event.EpochNew}))
		h.archiveUpTo(t, state(h.events).LastSeq-1)
		before, old := state(h.events).Bytes, state(h.events.archive).Bytes
		const n = 20
		for range n {
			for _, e := range events(k) { // each in a request of its own, as in operation
				k.answer(e)
			}
		}
		check := func(what string, bytes uint64, constant float64) {
			t.Helper()
			got := float64(bytes) / n
			t.Logf("%s: %.0f bytes%s", name, got, what)
			if got < 0.9*constant || got > 1.1*constant {
				t.Errorf("%s needs %.0f bytes%s, Sizing says %.0f", name, got, what, constant)
			}
		}
		check("", state(h.events).Bytes-before, constant)
		h.archiveUpTo(t, state(h.events).LastSeq-1)
		check(" without its evidence", state(h.events.archive).Bytes-old, archived)
	}
	measure("a visit", visitBytes, oldVisitBytes, func(k *party) []json.RawMessage {
		v := offlineVisit(t, b, "valid")
		v.Offline, v.Basis, v.Visit = false, nil, "0d5e5d3c-7c22-4b3a-9df5-0a4e0a3a3b11"
		return append(k.visits(b.now(), v), k.seals(event.TypeShown, event.Shown{Visit: v.Visit, Result: kiosk.Shown, Screen: "granted", Door: true, At: time.Now()}))
	})
	measure("another event", otherBytes, oldOtherBytes, func(k *party) []json.RawMessage {
		return []json.RawMessage{k.seals(event.TypePart, event.Part{Part: "keypad", State: "failed"})}
	})
	// A review has the same size for every visit.
	id, err := event.NewID(time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := event.ByTheHub(id, event.TypeReview, time.Now(), event.Review{
		Kiosk: "lobby-1", Event: id, Epoch: id, Sequence: 1 << 20, Visit: id, Outcome: kiosk.Granted, Verdict: kiosk.Granted, Agrees: true,
	})
	if err != nil || len(text)+100 > reviewBytes || len(text)+100 < reviewBytes*2/3 {
		t.Errorf("a review has %d bytes, %v", len(text), err)
	}

	fleet := Fleet{Kiosks: 100, Visits: 400, Others: 10, Days: 400, EvidenceDays: 90}
	s := Sizing(fleet)
	day, oldDay := int64(100*(400*visitBytes+10*otherBytes)), int64(100*(400*oldVisitBytes+10*oldOtherBytes))
	if s.PerDay != day || s.Events != 90*day+310*oldDay || s.Disk < s.Events*10/6 {
		t.Errorf("got %+v", s)
	}
	fleet.Days = 30
	if s := Sizing(fleet); s.Events != 30*day {
		t.Errorf("30 days: got %+v", s)
	}
}

// seals seals the kiosk's next event.
func (p *party) seals(kind string, payload any) json.RawMessage {
	p.t.Helper()
	id, err := event.NewID(time.Now(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	sealed, link, err := p.seal.Seal(event.Header{
		ID: id, Kiosk: p.id, Epoch: p.epoch, Sequence: p.sequence + 1, Type: kind, Time: time.Now(),
		BootID: "b0", Uptime: time.Minute, ClockTrusted: true, Prev: p.link,
	}, payload)
	if err != nil {
		p.t.Fatal(err)
	}
	p.sequence, p.link = p.sequence+1, link
	return sealed
}
