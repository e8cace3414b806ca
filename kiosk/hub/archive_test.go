package hub

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

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
	office.has(office.all(10))
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
			var sent []time.Time // before each of them
			for range 40 {
				h, k := hubs[r.IntN(2)], kiosks[r.IntN(2)]
				info, err := streamInfo(t.Context(), h.events)
				if err != nil {
					t.Fatal(err)
				}
				through := info.State.LastSeq - min(info.State.LastSeq, 1+r.Uint64N(4))
				switch r.IntN(4) {
				case 0, 1:
					n, now := 1+r.IntN(3), time.Now()
					k.send(k.events(n), k.sequence)
					for i := range n {
						want, sent = append(want, fmt.Sprintf("%s/%d", k.id, int(k.sequence)-n+1+i)), append(sent, now)
					}
				case 2: // the hub stops before it deletes from the stream
					if through > 0 {
						if _, _, err := h.copyToArchive(t.Context(), through); err != nil {
							t.Fatal(err)
						}
					}
				case 3:
					h.archiveUpTo(t, through)
				}
				var got []string
				for _, e := range office.all(1 + r.IntN(9)) {
					got = append(got, strings.TrimPrefix(e.Source, event.SourcePrefix)+"/"+strings.TrimLeft(e.Sequence, "0"))
				}
				if !slices.Equal(got, want) {
					t.Fatalf("the feed has %s, want %s", got, want)
				}
				if len(want) == 0 {
					continue
				}
				first := r.IntN(len(want))
				for first > 0 && sent[first-1].Equal(sent[first]) {
					first--
				}
				texts, _, err := office.Pull(t.Context(), "office", hubapi.Pull{Max: 1, Since: sent[first]})
				if err != nil || len(texts) != 1 || place(t, texts[0]) != want[first] {
					t.Fatalf("since the time of %s the feed has %s, %v", want[first], texts, err)
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
	sixth := k1.events(1)
	k1.to(otherURL).send(sixth, 6)
	k2.send(k2.events(1), 2)
	h.archiveUpTo(t, 6)
	// The hub at url knows of five events, and the stream shows it none: not even that there is a sixth.
	k1.send(sixth, 6)
	k1.send(k1.events(1), 7)
	office.has(office.all(10), "-k1/1", "-k1/2", "-k1/3", "-k1/4", "-k1/5", "-k2/1", "-k1/6", "k2/2", "k1/7")
}

// Of two hubs that copy the same message, one is told that it was overtaken.
func TestArchivedOnce(t *testing.T) {
	b := newBed(t)
	k1, h := b.kiosk(b.serve(), "k1"), b.open()
	k1.send(k1.events(1), 1)
	msg, err := h.events.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	_, sequence, err := h.events.archive.end(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []error{nil, errOvertaken} {
		if _, err := h.events.archive.add(t.Context(), msg, msg.Data, sequence); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

// A hub opens the folder of an older one, which had no archive and had deleted single events from
// the stream. Their evidence is kept and deleted like that of new events.
func TestFolderWithoutArchive(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, k2, k3, office := b.kiosk(url, "k1"), b.kiosk(url, "k2"), b.kiosk(url, "k3"), b.consumer(url, "office")
	for i := range 2 {
		k1.send(k1.events(1), uint64(i+1))
	}
	k2.send(k2.events(1), 1)
	for i := range 3 {
		k1.send(k1.events(1), uint64(i+3))
	}
	k3.send(k3.events(1), 1)
	old := b.open()
	if err := old.js.DeleteStream(t.Context(), archiveStream); err != nil {
		t.Fatal(err)
	}
	// The older hub has deleted the first four events, except the last one of k2.
	info, err := streamInfo(t.Context(), old.events)
	if err != nil {
		t.Fatal(err)
	}
	mark, err := at(t.Context(), eventLog{Stream: old.events.Stream, archive: archive{Stream: old.events.Stream}}, info, position{place: 4})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.cursors.PutString(t.Context(), deletedReader, mark.text()); err != nil {
		t.Fatal(err)
	}
	if err := old.events.Purge(t.Context(), jetstream.WithPurgeSubject(eventsSubject+"k1"), jetstream.WithPurgeSequence(5)); err != nil {
		t.Fatal(err)
	}

	url = b.serve()
	h := b.open()
	k1, k2, office = k1.to(url), k2.to(url), office.to(url)
	office.has(office.all(2), "k1/4", "k1/5", "k3/1")
	office.ack(office.pulled(1, "k1/4"))
	h.archiveUpTo(t, 5)
	office.has(office.all(2), "-k1/4", "k1/5", "k3/1")
	office.pulled(10, "k1/5", "k3/1")
	k1.send(k1.events(1), 6)
	k2.send(k2.events(1), 2) // its last event is in the archive
	h.archiveUpTo(t, 8)
	office.has(office.all(2), "-k1/4", "-k1/5", "-k3/1", "-k1/6", "k2/2")
}

// If the stream was damaged behind the end of the archive, it counts as another stream: the
// archive's events do not mix with the new ones.
func TestArchiveOfAStreamThatWentBack(t *testing.T) {
	dir := t.TempDir()
	store, err := startEmbedded(dir, byHub, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{t: t, dir: newFolder(t), conn: store.conn}
	url := b.serve()
	k1, k2, office := b.kiosk(url, "k1"), b.kiosk(url, "k2"), b.consumer(url, "office")
	for i := range 4 {
		k1.send(k1.events(1), uint64(i+1))
	}
	office.ack(office.pulled(10, "k1/1", "k1/2", "k1/3", "k1/4"))
	h := b.open()
	h.archiveUpTo(t, 3)
	before, err := streamInfo(t.Context(), h.events)
	if err != nil {
		t.Fatal(err)
	}
	b.losesMessages(dir, store)
	url = b.serve()
	h = b.open()
	k2, office = k2.to(url), office.to(url)
	after, err := streamInfo(t.Context(), h.events)
	if err != nil || streamID(after) == streamID(before) {
		t.Errorf("the stream has the same ID as before, %v", err)
	}
	for i := range 3 {
		k2.send(k2.events(1), uint64(i+1))
	}
	h.archiveUpTo(t, 2)
	office.has(office.all(2), "-k2/1", "-k2/2", "k2/3")
	// What is left of the other stream is deleted when it is too old.
	info, err := streamInfo(t.Context(), h.events)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.deleteThrough(t.Context(), info, 1); err != nil {
		t.Fatal(err)
	}
	left, err := h.events.archive.Info(t.Context(), jetstream.WithSubjectFilter(">"))
	if err != nil || len(left.State.Subjects) != 1 || left.State.Subjects[h.events.archive.subject(eventsSubject+"k2")] != 1 {
		t.Errorf("the archive has %v, %v", left.State.Subjects, err)
	}
	office.has(office.all(2), "-k2/2", "k2/3")
	_, _, err = office.Feed(t.Context(), "office", 10, 0)
	if p, ok := errors.AsType[*hubapi.Problem](err); !ok || p.Type != hubapi.KindRolledBack {
		t.Errorf("a cursor from before: %v", err)
	}
}

// A backup that is made between the two steps of a move is complete.
func TestBackupWhileArchiving(t *testing.T) {
	dir := newFolder(t)
	b, h, url, stop := folderHub(t, dir)
	k1, office := b.kiosk(url, "k1"), b.consumer(url, "office")
	for i := range 5 {
		k1.send(k1.events(1), uint64(i+1))
	}
	h.archiveUpTo(t, 2)
	if _, _, err := h.copyToArchive(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	backup, again := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "again")
	if _, err := MakeBackup(t.Context(), dir, backup); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := Restore(t.Context(), backup, again); err != nil {
		t.Fatal(err)
	}
	_, h, url, _ = folderHub(t, again)
	k1, office = k1.to(url), office.to(url)
	office.has(office.all(10), "-k1/1", "-k1/2", "-k1/3", "-k1/4", "k1/5")
	k1.send(k1.events(1), 6)
	h.archiveUpTo(t, 4)
	office.has(office.all(10), "-k1/1", "-k1/2", "-k1/3", "-k1/4", "k1/5", "k1/6")
}

// An event that cannot be read is archived as it is, and holds up no other.
func TestUnreadableEventIsArchived(t *testing.T) {
	got, err := withoutEvidence([]byte(`[{"jws":7},` + "\n" + `{"jws":"a.b.c","data":{"evidence":1}}]`))
	if want := `[{"jws":7},` + "\n" + `{"evidenceremoved":true,"link":"` + linkOf("a.b.c") + `","data":{}}]`; err == nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func linkOf(jws string) string { return base64.RawURLEncoding.EncodeToString(event.Link(jws)) }
