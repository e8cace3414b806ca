package journal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/store"
)

// The stand-in has the place of the refused event and says why it was refused.
func TestStandIn(t *testing.T) {
	j, out, open := newJournal(t)
	if err := j.Started("1.0"); err != nil {
		t.Fatal(err)
	}
	refused := store.Record{Sequence: 2, Link: out.links[1], Data: out.events[1]}
	of := open()
	record, err := j.StandIn("bad seal")(out.links[0], refused)
	if err != nil {
		t.Fatal(err)
	}
	out.events = append(out.events, record)
	e := open()
	var parked event.Parked
	if err := json.Unmarshal(e.Payload, &parked); err != nil {
		t.Fatal(err)
	}
	if e.Type != event.TypeParked || e.Epoch != of.Epoch || e.Sequence != of.Sequence || !bytes.Equal(e.Prev, out.links[0]) ||
		parked.Problem != "bad seal" || parked.Link != base64.RawURLEncoding.EncodeToString(out.links[1]) || !bytes.Equal(e.Link, out.links[1]) {
		t.Errorf("the stand-in is %+v, %+v", e.Header, parked)
	}
}

// The outbox keeps the refused event if there is no stand-in for it.
func TestNoStandIn(t *testing.T) {
	j, out, _ := newJournal(t)
	if err := j.Started("1.0"); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"no JSON": []byte("x"), "an empty record": nil} {
		if record, err := j.StandIn("p")(nil, store.Record{Data: data}); err == nil || !strings.Contains(err.Error(), "cannot read event") || record != nil {
			t.Errorf("%s: %s, %v", name, record, err)
		}
	}
	j.Clocks.BootID = "not/valid"
	if record, err := j.StandIn("p")(out.links[0], store.Record{Link: out.links[1], Data: out.events[1]}); err == nil || record != nil {
		t.Errorf("cannot be sealed: %s, %v", record, err)
	}
}

// The level of the outbox tells how many events were left out before it; if it cannot be
// written, the next one tells.
func TestRoom(t *testing.T) {
	j, out, open := newJournal(t)
	scarce := false
	j.Scarce = func() bool { return scarce }
	if err := j.Started("1.0"); err != nil {
		t.Fatal(err)
	}
	scarce = true
	for range 3 {
		if err := j.Part(event.Part{}); err != nil {
			t.Fatal(err)
		}
	}
	if len(out.events) != 2 {
		t.Errorf("%d events", len(out.events))
	}
	out.full = true
	if err := j.Room("low", 7); err == nil {
		t.Error("written to a full disk")
	}
	out.full = false
	for _, want := range []event.Outbox{{Level: "low", Pending: 7, Thinned: 3}, {Level: "roomy", Pending: math.MaxInt32}} {
		if err := j.Room(want.Level, int(want.Pending)); err != nil {
			t.Fatal(err)
		}
		var got event.Outbox
		if err := json.Unmarshal(open().Payload, &got); err != nil || got != want {
			t.Errorf("the outbox is %+v, %v, not %+v", got, err, want)
		}
	}
}

// The times in what a verdict rests on are those that an event can hold.
func TestTimeOfBasis(t *testing.T) {
	j, _, open := newJournal(t)
	for at, want := range map[time.Time]time.Time{
		{}: {},
		time.Date(2026, 11, 22, 13, 0, 0, 0, time.FixedZone("", 3600)): time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		event.MaxTime.AddDate(1, 0, 0):                                 event.MaxTime,
		event.MinTime.AddDate(-1, 0, 0):                                event.MinTime,
	} {
		if err := j.Write(t.Context(), kiosk.Record{Visit: "v1", Outcome: kiosk.Granted, Basis: kiosk.Basis{Rules: "r", CRL: "7", Time: at}}); err != nil {
			t.Fatal(err)
		}
		var got event.Visit
		if err := json.Unmarshal(open().Payload, &got); err != nil {
			t.Fatal(err)
		}
		if got.Basis == nil || !got.Basis.Time.Equal(want) || got.Basis.Rules != "r" || got.Basis.CRL != "7" {
			t.Errorf("%s: %+v, want %s", at, got.Basis, want)
		}
	}
}
