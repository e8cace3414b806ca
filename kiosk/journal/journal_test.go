package journal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/store"
)

// memory is an outbox in memory.
type memory struct {
	events [][]byte
	links  [][]byte
	full   bool
	notes  []string
	epoch  store.Epoch
}

func (m *memory) Epoch() store.Epoch { return m.epoch }
func (m *memory) Sequence() uint64   { return uint64(len(m.events)) }

func (m *memory) Notes() []string { return m.notes }

func (m *memory) AppendAll(additions ...store.Addition) (last uint64, err error) {
	events, links, notes := len(m.events), len(m.links), m.notes
	for _, a := range additions {
		if last, err = m.Append(a.Seal); err != nil {
			m.events, m.links, m.notes = m.events[:events], m.links[:links], notes
			return 0, err
		}
		m.notes = slices.DeleteFunc(slices.Clone(m.notes), func(n string) bool { return n == a.Clears })
		if a.Note != "" {
			m.notes = append(m.notes, a.Note)
		}
	}
	return last, nil
}

func (m *memory) BeginEpoch(id string, seal func(uint64, []byte) ([]byte, []byte, error)) (uint64, error) {
	before := m.epoch
	m.epoch = store.Epoch{ID: id, First: m.Sequence() + 1}
	position, err := m.Append(seal)
	if err != nil {
		m.epoch = before
	}
	return position, err
}

func (m *memory) Append(seal func(uint64, []byte) ([]byte, []byte, error)) (uint64, error) {
	if m.full {
		return 0, errors.New("disk full")
	}
	var prev []byte
	if len(m.links) > 0 {
		prev = m.links[len(m.links)-1]
	}
	record, link, err := seal(uint64(len(m.events))+2-m.epoch.First, prev)
	if err != nil {
		return 0, err
	}
	m.events, m.links = append(m.events, record), append(m.links, link)
	return uint64(len(m.events)), nil
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newJournal returns a journal, its outbox, and a function that opens the last
// event.
func newJournal(t *testing.T) (*Journal, *memory, func() event.Opened) {
	t.Helper()
	device, hub := newKey(t), newKey(t)
	sealer, err := event.NewSealer("k1", device, &jose.JSONWebKey{Key: &hub.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	opener := event.NewOpener(jose.JSONWebKey{Key: hub})
	out := &memory{epoch: store.Epoch{First: 1}}
	j := &Journal{
		Sealer: sealer, Outbox: out, Origin: "https://hub.example",
		Clocks: Clocks{
			Now:     func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) },
			BootID:  "boot-1",
			Uptime:  func() time.Duration { return time.Minute },
			Trusted: func() bool { return true },
		},
	}
	return j, out, func() event.Opened {
		t.Helper()
		opened, err := opener.Open(out.events[len(out.events)-1], device.Public())
		if err != nil {
			t.Fatal(err)
		}
		return opened
	}
}

// Record writes an event that contains the whole outcome of the visit, its
// place in the chain and the times of the kiosk's clocks.
func TestRecord(t *testing.T) {
	j, out, open := newJournal(t)
	if err := j.Started("1.0"); err != nil {
		t.Fatal(err)
	}
	r := kiosk.Record{
		Visit: "v1", Outcome: kiosk.Granted, Authenticated: true, Offline: true,
		Holder: kiosk.Holder{ID: "UN:NO-9578-4050-1", Name: "Kari Nordmann"},
		Nonce:  "bm9uY2U=", Token: []byte(`{"format":"web-eid:1.0"}`),
	}
	if err := j.Write(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	e := open()
	if e.Type != event.TypeVisit || e.Sequence != 3 || !bytes.Equal(e.Prev, out.links[1]) ||
		e.BootID != "boot-1" || e.Uptime != time.Minute || !e.ClockTrusted || !e.Time.Equal(j.Clocks.Now()) {
		t.Errorf("header %+v", e.Header)
	}
	var got event.Visit
	if err := json.Unmarshal(e.Payload, &got); err != nil {
		t.Fatal(err)
	}
	if got.Visit != "v1" || got.Outcome != kiosk.Granted || !got.Offline || !got.Authenticated || *got.Holder != r.Holder ||
		got.Evidence.Nonce != r.Nonce || got.Evidence.Origin != j.Origin || string(got.Evidence.Token) != string(r.Token) {
		t.Errorf("payload %s", e.Payload)
	}
	if j.Last() != 3 { // the first event announces the epoch
		t.Errorf("the last event is %d", j.Last())
	}
}

// The event omits the fields that the visit does not have.
func TestRecordOfNobody(t *testing.T) {
	j, _, open := newJournal(t)
	if err := j.Write(t.Context(), kiosk.Record{Visit: "v1", Outcome: kiosk.Failed, Reason: kiosk.CardMute}); err != nil {
		t.Fatal(err)
	}
	for _, absent := range []string{"holder", "evidence", "basis"} {
		if payload := open().Payload; bytes.Contains(payload, []byte(`"`+absent+`"`)) {
			t.Errorf("%s is in %s", absent, payload)
		}
	}
}

func TestRecordFails(t *testing.T) {
	j, out, _ := newJournal(t)
	out.full = true
	err := j.Write(t.Context(), kiosk.Record{Visit: "v1", Outcome: kiosk.Failed})
	if err == nil || !strings.Contains(err.Error(), "cannot write event smartkiosk.visit.v1: cannot begin a new epoch: disk full") || j.Last() != 0 {
		t.Errorf("%v, last %d", err, j.Last())
	}
}

// When the outbox is nearly full, the journal writes outcomes of visits but
// omits starts.
func TestScarce(t *testing.T) {
	j, out, _ := newJournal(t)
	j.Scarce = func() bool { return true }
	if err := errors.Join(j.Started("1.0"), j.Write(t.Context(), kiosk.Record{Visit: "v1", Outcome: kiosk.Denied})); err != nil {
		t.Fatal(err)
	}
	if len(out.events) != 2 {
		t.Errorf("%d events", len(out.events))
	}
}

// The journal records changes of the panel. When the outbox is nearly full, it
// records only those of the housing.
func TestPanel(t *testing.T) {
	j, out, open := newJournal(t)
	if err := j.Part(event.Part{Part: "display.pcf8574", State: "lost", Problem: "no answer"}); err != nil {
		t.Fatal(err)
	}
	if e := open(); e.Type != event.TypePart || string(e.Payload) != `{"part":"display.pcf8574","state":"lost","problem":"no answer"}` {
		t.Errorf("%s %s", e.Type, e.Payload)
	}
	j.Scarce = func() bool { return true }
	if err := errors.Join(j.Part(event.Part{Part: "display.pcf8574", State: "found"}), j.Tamper("opened")); err != nil {
		t.Fatal(err)
	}
	if e := open(); len(out.events) != 3 || e.Type != event.TypeTamper || string(e.Payload) != `{"state":"opened"}` {
		t.Errorf("%d events, %s %s", len(out.events), e.Type, e.Payload)
	}
}

// A new epoch begins with an event that announces it and names the previous event.
// Only if it vouches for another event it has no link.
func TestBeginEpoch(t *testing.T) {
	j, out, open := newJournal(t)
	if err := errors.Join(j.Started("1.0"), j.Started("1.0")); err != nil {
		t.Fatal(err)
	}
	if at, err := j.BeginEpoch(event.Epoch{Why: event.EpochConflict}); err != nil || at != 4 || j.Last() != 4 {
		t.Fatalf("the epoch begins at %d, %v", at, err)
	}
	e := open()
	first := e.Epoch
	var said event.Epoch
	if err := json.Unmarshal(e.Payload, &said); err != nil {
		t.Fatal(err)
	}
	if e.Type != event.TypeEpoch || e.Sequence != 1 || first == "" || !bytes.Equal(e.Prev, out.links[2]) ||
		said.Why != event.EpochConflict || said.AfterEpoch == "" || said.AfterEpoch == first || said.AfterSequence != 3 {
		t.Errorf("%+v %s", e.Header, e.Payload)
	}
	if err := j.Started("1.0"); err != nil {
		t.Fatal(err)
	}
	if e := open(); e.Epoch != first || e.Sequence != 2 || !bytes.Equal(e.Prev, out.links[3]) {
		t.Errorf("%+v", e.Header)
	}
	if _, err := j.BeginEpoch(event.Epoch{Why: event.EpochGap, LostFrom: 1, LostThrough: 1, Vouches: "x"}); err != nil {
		t.Fatal(err)
	}
	if e := open(); e.Epoch == first || e.Sequence != 1 || len(e.Prev) != 0 ||
		string(e.Payload) != `{"why":"gap","afterepoch":"`+first+`","aftersequence":2,"lostfrom":1,"lostthrough":1,"vouches":"x"}` {
		t.Errorf("%+v %s", e.Header, e.Payload)
	}
	out.full = true
	if _, err := j.BeginEpoch(event.Epoch{Why: event.EpochNew}); err == nil || out.epoch.First != 6 {
		t.Errorf("%v, epoch %+v", err, out.epoch)
	}
}
