package hub

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/reconcile"
)

// begin seals the announcement of a new epoch, which links to the kiosk's last event unless
// it vouches for another one.
func (p *party) begin(open event.Epoch) json.RawMessage {
	p.t.Helper()
	id, err := event.NewID(time.Now(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	h := event.Header{ID: id, Sequence: 1, Type: event.TypeEpoch, Time: time.Now(), BootID: "b0"}
	if h.Epoch, err = event.NewEpoch(rand.Reader); err != nil {
		p.t.Fatal(err)
	}
	if open.Vouches == "" {
		h.Prev, open.AfterEpoch, open.AfterSequence = p.link, p.epoch, p.sequence
	}
	sealed, link, err := p.seal.Seal(h, open)
	if err != nil {
		p.t.Fatal(err)
	}
	p.epoch, p.sequence, p.link = h.Epoch, 1, link
	return sealed
}

// sees fails unless the feed has these events of kiosk k1 in this order. Epochs are numbered
// from 0 in the order in which they appear. An event with a conflict has a "!".
func (b *bed) sees(h *Hub, want ...string) {
	b.t.Helper()
	read, err := h.read(b.t.Context(), reading{}, hubapi.Pull{Max: hubapi.MaxEvents})
	if err != nil {
		b.t.Fatal(err)
	}
	var events []struct {
		Type, Epoch, Sequence string
		Conflict              bool
		Data                  event.Alarm
	}
	if err := json.Unmarshal(read.Array(), &events); err != nil {
		b.t.Fatal(err)
	}
	var got, epochs []string
	for _, e := range events {
		text := "alarm " + e.Data.Kind
		if e.Type != event.TypeAlarm {
			if !slices.Contains(epochs, e.Epoch) {
				epochs = append(epochs, e.Epoch)
			}
			text = fmt.Sprintf("%d/%s", slices.Index(epochs, e.Epoch), strings.TrimLeft(e.Sequence, "0"))
		}
		if e.Conflict {
			text += "!"
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("the feed has %q, want %q", got, want)
	}
}

// answer sends events, all of which the hub must accept.
func (p *party) answer(batch ...json.RawMessage) hubapi.Acknowledgement {
	p.t.Helper()
	a, err := p.SendEvents(p.t.Context(), batch)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

// TestEpochs stores several epochs of a kiosk, each event once.
func TestEpochs(t *testing.T) {
	b := newBed(t)
	url, other := b.serve(), b.serve()
	k1, h := b.kiosk(url, "k1"), b.open()
	all := k1.events(2)
	for range 2 {
		all = append(append(all, k1.begin(event.Epoch{Why: event.EpochDamaged})), k1.events(2)...)
	}
	a := k1.answer(all[:4]...)
	if a.Epoch == "" || a.Acknowledged != 2 || a.Conflict || len(a.Missing) != 0 {
		t.Errorf("answered %+v", a)
	}
	k1.to(other).answer(all...)
	for i := range all {
		k1.answer(all[:i+1]...)
		k1.to(other).answer(all[i])
	}
	b.sees(h, "0/1", "0/2", "1/1", "1/2", "1/3", "2/1", "2/2", "2/3")
	if a := k1.answer(); a.Epoch != k1.epoch || a.Acknowledged != 3 {
		t.Errorf("an empty batch is answered with %+v", a)
	}
}

// TestFork: a kiosk that goes on from a copy of its outbox has other events with the same
// numbers. The hub stores and marks them, raises one alarm, and asks for a new epoch.
func TestFork(t *testing.T) {
	b := newBed(t)
	url, other := b.serve(), b.serve()
	k1, h := b.kiosk(url, "k1"), b.open()
	start := k1.begin(event.Epoch{Why: event.EpochNew})
	k1.answer(append([]json.RawMessage{start}, k1.events(1)...)...)
	copied := *k1
	k1.answer(k1.events(3)...)
	forked := copied.events(5)
	for i := range forked {
		if a := copied.to([]string{url, other}[i%2]).answer(forked[:i+1]...); !a.Conflict || a.Acknowledged != uint64(3+i) {
			t.Errorf("%d events are answered with %+v", i+1, a)
		}
	}
	k1.answer(k1.events(1)...)
	copied.answer(forked...)
	if a := copied.answer(append([]json.RawMessage{copied.begin(event.Epoch{Why: event.EpochConflict})}, copied.events(1)...)...); a.Conflict {
		t.Errorf("the new epoch is answered with %+v", a)
	}
	b.sees(h, "0/1", "0/2", "0/3", "0/4", "0/5", "alarm conflict", "0/3!", "0/4!", "0/5!", "0/6", "0/7", "0/6!", "1/1", "1/2")
	m, _, err := h.markOf(t.Context(), "k1")
	if err != nil || m.Alarms != 1 || m.Kind != event.AlarmConflict {
		t.Errorf("mark %+v, %v", m, err)
	}
}

// TestForkOfOlderKiosk: events without an epoch fork in the same way.
func TestForkOfOlderKiosk(t *testing.T) {
	b := newBed(t)
	k1, h := b.kiosk(b.serve(), "k1"), b.open()
	again := *k1
	k1.send(k1.events(2), 2)
	if a := again.answer(again.events(3)...); !a.Conflict || a.Epoch != "" {
		t.Errorf("answered %+v", a)
	}
	b.sees(h, "0/1", "0/2", "alarm conflict", "0/1!", "0/2!", "0/3")
}

// TestGapIsFilled: a hub that was restored says what it has. An announcement vouches for
// events whose previous event is lost, and the hub says which of the lost events it lacks.
func TestGapIsFilled(t *testing.T) {
	b := newBed(t)
	k1, h := b.kiosk(b.serve(), "k1"), b.open()
	all := append([]json.RawMessage{k1.begin(event.Epoch{Why: event.EpochNew})}, k1.events(2)...)
	k1.answer(all[:3]...)
	has, epoch := hubapi.Branch{Epoch: k1.epoch, First: 1, Last: 3, Link: k1.link}, k1.epoch
	lost := k1.events(2)
	rest := k1.events(3)
	p := k1.refused(rest)
	if p.Type != hubapi.KindGap || p.Wanted != 4 || *p.Event != 0 || len(p.Has) != 1 || fmt.Sprint(p.Has[0]) != fmt.Sprint(has) {
		t.Errorf("refused with %+v", p)
	}
	opened, err := event.NewOpener(*b.privateSeal()).Open(rest[0], k1.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	vouch := func(from uint64) json.RawMessage {
		return k1.begin(event.Epoch{Why: event.EpochGap, LostEpoch: epoch, LostFrom: from, LostThrough: 5, Vouches: base64.RawURLEncoding.EncodeToString(opened.Link)})
	}
	// The hub does not have event 4, so it does not believe that only 5 is lost.
	if p := k1.refused([]json.RawMessage{vouch(5), rest[0]}); p.Type != hubapi.KindGap || *p.Event != 0 {
		t.Errorf("an incomplete announcement is refused with %+v", p)
	}
	want := []hubapi.LostEvents{{Epoch: epoch, From: 4, Through: 5}}
	if a := k1.answer(append([]json.RawMessage{vouch(4)}, rest...)...); !slices.Equal(a.Missing, want) || a.Conflict {
		t.Errorf("answered %+v", a)
	}
	// A hub that starts now knows the same.
	url := b.serve()
	if a := k1.to(url).answer(rest...); !slices.Equal(a.Missing, want) {
		t.Errorf("answered %+v", a)
	}
	// The lost events turn up.
	if a := k1.to(url).answer(append(lost, rest...)...); len(a.Missing) != 0 || a.Conflict {
		t.Errorf("answered %+v", a)
	}
	b.sees(h, "0/1", "0/2", "0/3", "1/1", "0/6", "0/7", "0/8", "0/4", "0/5")
}

// TestForksAtHubsAtOnce: several hubs that get two histories at the same time store each
// event once.
func TestForksAtHubsAtOnce(t *testing.T) {
	b := newBed(t)
	urls := []string{b.serve(), b.serve()}
	k1, h := b.kiosk(urls[0], "k1"), b.open()
	start := k1.begin(event.Epoch{Why: event.EpochNew})
	k1.answer(start)
	copied := *k1
	batches := [][]json.RawMessage{k1.events(6), copied.events(6)}
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			if _, err := k1.to(urls[i%2]).SendEvents(t.Context(), batches[i/2%2][:1+i/2]); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	k1.answer(batches[0]...)
	k1.answer(batches[1]...)
	read, err := h.read(t.Context(), reading{}, hubapi.Pull{Max: hubapi.MaxEvents})
	if err != nil {
		t.Fatal(err)
	}
	var events []struct{ ID, Type string }
	if err := json.Unmarshal(read.Array(), &events); err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	for _, e := range events {
		if e.Type != event.TypeAlarm {
			ids[e.ID]++
		}
	}
	for id, n := range ids {
		if n != 1 {
			t.Errorf("event %s is in the feed %d times", id, n)
		}
	}
	if len(ids) != 13 {
		t.Errorf("the feed has %d events", len(ids))
	}
}

// TestFormerKeys: events are valid by the key that signed them, if the hub issued its
// certificate to this kiosk. A wrong key is not a fault of the event.
func TestFormerKeys(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	former, key := b.issue(hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}) // unknown to the registry
	k1 := b.kiosk(url, "k1")
	before := k1.withKey(former, key)
	old := before.events(2)
	if p := k1.refused(old); p.Type != hubapi.KindDeviceKey || *p.Event != 0 {
		t.Errorf("without the certificate: %+v", p)
	}
	foreign, _ := b.issue(hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k2"})
	elsewhere, _ := newBed(t).issue(hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"})
	for _, wrong := range [][]byte{foreign.Raw, elsewhere.Raw, []byte("garbage")} {
		k1.Former = [][]byte{wrong}
		if p := k1.refused(old); p.Type != hubapi.KindDeviceKey {
			t.Errorf("with a wrong certificate: %+v", p)
		}
	}
	k1.Former = [][]byte{foreign.Raw, former.Raw}
	k1.sequence, k1.link = before.sequence, before.link
	k1.send(append(old, k1.events(1)...), 3)
	b.holds("k1/1", "k1/2", "k1/3")

	req, err := http.NewRequestWithContext(t.Context(), "POST", k1.url+"/v1/events", strings.NewReader("[]"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", hubapi.MediaEvents)
	req.Header.Set(hubapi.FormerHeader, "garbage")
	client := http.Client{Transport: &http.Transport{TLSClientConfig: k1.tls}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a malformed header is answered with %s", resp.Status)
	}
}

// TestReviewsPerBranch: visits with the same number in different epochs are each reviewed.
func TestReviewsPerBranch(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, office := b.kiosk(url, "k1"), b.consumer(url, "office")
	visit := offlineVisit(t, b, "valid")
	k1.answer(k1.visits(b.now(), visit, visit)...)
	k1.answer(k1.begin(event.Epoch{Why: event.EpochDamaged}))
	k1.answer(k1.visits(b.now(), offlineVisit(t, b, "valid"))...)
	epochs := map[string]int{}
	for _, r := range office.reviews(3) {
		epochs[r.Epoch]++
		if r.Outcome != kiosk.Granted {
			t.Errorf("review %+v", r)
		}
	}
	if epochs[""] != 2 || epochs[k1.epoch] != 1 {
		t.Errorf("reviews by epoch: %v", epochs)
	}
}

// TestExistingStream: a hub goes on with the stream, the reviewer and the events of the
// version before epochs.
func TestExistingStream(t *testing.T) {
	b := newBed(t)
	js, err := jetstream.New(b.conn)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: eventsStream, Subjects: []string{"smartkiosk.events.*", "smartkiosk.reviews.*", "smartkiosk.alarms.*"}, Storage: jetstream.FileStorage,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{
		Durable: reviewer, FilterSubject: "smartkiosk.events.*", AckPolicy: jetstream.AckExplicitPolicy, AckWait: 2 * reviewTime, MaxAckPending: 1,
	}); err != nil {
		t.Fatal(err)
	}
	url := b.serve()
	k1, office, h := b.kiosk(url, "k1"), b.consumer(url, "office"), b.open()
	k1.answer(k1.events(2)...)
	k1.answer(k1.begin(event.Epoch{Why: event.EpochDamaged}))
	k1.answer(k1.visits(b.now(), offlineVisit(t, b, "valid"))...)
	if got := office.reviews(1); got[0].Epoch != k1.epoch || got[0].Sequence != 2 {
		t.Errorf("review %+v", got[0])
	}
	info, err := h.events.Info(t.Context(), jetstream.WithSubjectFilter(">"))
	if err != nil || info.State.Subjects["smartkiosk.events.k1"] != 1 || info.State.Subjects["smartkiosk.events.k1."+k1.epoch] != 2 {
		t.Errorf("the stream has %v, %v", info.State.Subjects, err)
	}
}

// TestTooManyEpochs: a kiosk cannot fill the hub with epochs.
func TestTooManyEpochs(t *testing.T) {
	b := newBed(t)
	k1, h := b.kiosk(b.serve(), "k1"), b.open()
	opened, err := event.NewOpener(*b.privateSeal()).Open(k1.begin(event.Epoch{Why: event.EpochNew}), k1.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	e, err := newIncoming(opened)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]bool{maxBranches - 1: true, maxBranches: false} {
		y := &history{fresh: true}
		for i := range n {
			y.Branches = append(y.Branches, reconcile.Branch{Epoch: fmt.Sprintf("%016x", i), First: 1, Last: 1})
			y.parts = append(y.parts, part{})
		}
		if _, err := h.keepIn(t.Context(), "k1", y, []incoming{e}); (err == nil) != want {
			t.Errorf("with %d branches: %v", n, err)
		}
	}
}
