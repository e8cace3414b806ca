package push_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/push"
	"smartkiosk/store"
)

// testingT is what the tests of reconciliation need of *testing.T and of *rapid.T.
type testingT interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Context() context.Context
}

// world is a real hub and the machines that use the identity of one kiosk.
type world struct {
	testingT
	dir, url string // the hub's
	scratch  string // a folder for copies
	stopHub  func()
	machines []*machine
	visits   int
	former   [][]byte                   // certificates of k1's former keys
	keys     *hubapi.Credentials        // the newest of k1
	born     map[string]map[uint64]bool // all numbers of each epoch that an outbox ever had
}

// machine is a kiosk with a real outbox.
type machine struct {
	*world
	path        string
	credentials *hubapi.Credentials
	former      [][]byte
	outbox      *store.Store
	journal     *journal.Journal
	client      *hubapi.Client
	log         bytes.Buffer
}

// newWorld starts a hub in a folder of makeHub, and a kiosk. scratch is an empty folder.
func newWorld(t testingT, dir, url, scratch string, keys *hubapi.Credentials) *world {
	w := &world{testingT: t, dir: dir, url: url, scratch: scratch, keys: keys, born: map[string]map[uint64]bool{}}
	w.startHub()
	w.add(filepath.Join(scratch, "kiosk"))
	return w
}

func (w *world) close() {
	for _, m := range w.machines {
		_ = m.outbox.Close()
	}
	w.stopHub()
}

func (w *world) must(errs ...error) {
	w.Helper()
	if err := errors.Join(errs...); err != nil {
		w.Fatal(err)
	}
}

func (w *world) startHub() {
	w.Helper()
	l, err := net.Listen("tcp", strings.TrimPrefix(w.url, "https://"))
	w.must(err)
	config, err := hub.Load(w.dir)
	w.must(err)
	h, err := hub.Open(context.Background(), config, slog.New(slog.DiscardHandler))
	w.must(err)
	ctx, end := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- h.Serve(ctx, l) }()
	w.stopHub = func() { end(); <-served; h.Close() }
}

// backUpHub copies the hub's events to a folder.
func (w *world) backUpHub(to string) {
	w.Helper()
	w.stopHub()
	w.must(os.RemoveAll(to), os.CopyFS(to, os.DirFS(filepath.Join(w.dir, "jetstream"))))
	w.startHub()
}

// restoreHub replaces the hub's events with a copy. The registry of certificates stays: if an
// operator restores an older one, the certificates that were issued since must be issued again.
func (w *world) restoreHub(from string) {
	w.Helper()
	w.stopHub()
	at, registry := filepath.Join(w.dir, "jetstream"), filepath.Join("jetstream", "$G", "streams", "KV_smartkiosk-identities")
	kept := filepath.Join(w.scratch, "registry")
	w.must(os.RemoveAll(kept), os.CopyFS(kept, os.DirFS(filepath.Join(at, registry))))
	w.must(os.RemoveAll(at), os.CopyFS(at, os.DirFS(from)), os.RemoveAll(filepath.Join(at, registry)))
	w.must(os.CopyFS(filepath.Join(at, registry), os.DirFS(kept)))
	w.startHub()
}

// newKey issues a new key and certificate to k1. Machines use it when they open again.
func (w *world) newKey() {
	w.Helper()
	bundle := filepath.Join(w.dir, "kiosks", "k1")
	w.must(os.RemoveAll(bundle))
	_, err := hub.AddKiosk(w.dir, "k1")
	w.must(err)
	w.former = append(slices.Clone(w.former), w.keys.TLS.Certificates[0].Certificate[0])
	w.keys, err = hubapi.LoadCredentials(filepath.Join(bundle, "hub-ca.pem"), filepath.Join(bundle, "kiosk.pem"), filepath.Join(bundle, "kiosk.key"))
	w.must(err)
}

// add adds a machine with the outbox in a folder.
func (w *world) add(folder string) *machine {
	w.Helper()
	w.must(os.MkdirAll(folder, 0o700))
	m := &machine{world: w, path: filepath.Join(folder, "outbox.db"), credentials: w.keys, former: w.former}
	w.machines = append(w.machines, m)
	m.open()
	return m
}

// open opens the outbox as kioskd does.
func (m *machine) open() {
	m.Helper()
	var err error
	if m.outbox, err = store.Open(m.path, store.Options{Keep: 1000}); errors.Is(err, store.ErrDamaged) {
		_, err = store.Salvage(m.path, time.Now())
		m.must(err)
		m.outbox, err = store.Open(m.path, store.Options{Keep: 1000})
	}
	m.must(err)
	text, err := os.ReadFile(filepath.Join(m.dir, "kiosks", "k1", "hub-seal.jwk"))
	m.must(err)
	m.journal = &journal.Journal{Sealer: sealer(m.testingT, m.credentials, text), Outbox: m.outbox, Clocks: journal.Clocks{
		Now: time.Now, BootID: "boot", Uptime: func() time.Duration { return 0 }, Trusted: func() bool { return true },
	}}
	m.client = hubapi.NewClient(m.url, m.credentials.TLS)
	m.client.Former = m.former
}

// closed runs f while the outbox is closed.
func (m *machine) closed(f func()) {
	m.Helper()
	m.must(m.outbox.Close())
	f()
	m.open()
}

// record records a visit.
func (m *machine) record() {
	m.Helper()
	m.visits++
	token := fmt.Appendf(nil, `{"pad":%q}`, strings.Repeat("x", 2900)) // so that each record has its own pages
	m.must(m.journal.Write(m.Context(), kiosk.Record{Visit: fmt.Sprintf("v%d", m.visits), Outcome: kiosk.Granted, Token: token}))
	m.note()
}

// kept returns the events that the outbox keeps.
func (m *machine) kept() (all []store.Record) {
	m.Helper()
	all, err := m.outbox.Records(0, 1<<20)
	m.must(err)
	return all
}

// note remembers which numbers exist.
func (m *machine) note() {
	m.Helper()
	for _, r := range m.kept() {
		h, err := event.Peek(r.Data)
		m.must(err)
		if m.born[h.Epoch] == nil {
			m.born[h.Epoch] = map[uint64]bool{}
		}
		m.born[h.Epoch][h.Sequence] = true
	}
}

// push sends all pending events.
func (m *machine) push() {
	m.Helper()
	for rounds := 0; m.outbox.Len() > 0; rounds++ {
		ctx, stop := context.WithTimeout(m.Context(), 2*time.Minute) // in case it hangs
		p := push.Pusher{
			Queue: drained{m.outbox, stop}, Send: m.client.SendEventsInTurn, BeginEpoch: m.journal.BeginEpoch,
			DeadLetter: func(at uint64, problem string) error {
				return m.outbox.MoveToDeadLetters(at, m.journal.StandIn(problem))
			},
			Log: slog.New(slog.NewTextHandler(&m.log, nil)),
		}
		err := p.Run(ctx)
		stop()
		if !errors.Is(err, context.Canceled) || rounds > 8 {
			m.Fatalf("%v; %d events are left\n%s", err, m.outbox.Len(), m.log.Bytes())
		}
	}
	m.note()
}

// lostAnswer sends the pending events. The kiosk gets no answer.
func (m *machine) lostAnswer() (batch []json.RawMessage) {
	m.Helper()
	records, err := m.outbox.Pending(0, 1000)
	m.must(err)
	for _, r := range records {
		batch = append(batch, r.Data)
	}
	m.deliver(batch)
	return batch
}

// deliver sends a batch, perhaps late.
func (m *machine) deliver(batch []json.RawMessage) {
	m.Helper()
	_, err := m.client.SendEvents(m.Context(), batch)
	if problem, ok := errors.AsType[*hubapi.Problem](err); err != nil && (!ok || problem.Type != hubapi.KindGap) {
		m.Fatal(err)
	}
}

// prune deletes all acknowledged events.
func (m *machine) prune() {
	m.Helper()
	m.must(m.outbox.Close())
	s, err := store.Open(m.path, store.Options{})
	m.must(err)
	m.must(s.Unack(s.Position().Acked), s.Close())
	m.open()
}

// replace replaces the SD card: nothing of the outbox is left.
func (m *machine) replace() {
	m.Helper()
	m.closed(func() {
		m.must(os.RemoveAll(filepath.Dir(m.path)), os.MkdirAll(filepath.Dir(m.path), 0o700))
	})
}

// copyTo copies the outbox as an image of the SD card does.
func (m *machine) copyTo(path string) {
	m.Helper()
	m.closed(func() {
		text, err := os.ReadFile(m.path)
		m.must(err, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, text, 0o600))
	})
}

// restore puts a copy back.
func (m *machine) restore(path string) {
	m.Helper()
	m.closed(func() {
		text, err := os.ReadFile(path)
		m.must(err, os.WriteFile(m.path, text, 0o600))
	})
}

// lose overwrites the pages of a kept event. It does nothing if there is no such event.
func (m *machine) lose(index int) {
	m.Helper()
	all := m.kept()
	if index < 0 || index >= len(all) {
		return
	}
	m.closed(func() {
		file, err := os.ReadFile(m.path)
		m.must(err)
		for at := bytes.Index(file, all[index].Data); at >= 0; at = bytes.Index(file, all[index].Data) {
			at &^= 4095
			copy(file[at:], bytes.Repeat([]byte{0xFF}, 4096))
		}
		m.must(os.WriteFile(m.path, file, 0o600))
	})
}

// feedEvent is an event in the feed.
type feedEvent struct {
	ID, Source, Type, Epoch string
	Sequence                uint64 `json:",string"`
	Conflict                bool
	JWS                     string
	Data                    struct {
		event.Epoch
		Visit, Kind string
	}
}

// prev returns the link to the previous event.
func (e feedEvent) prev() string {
	parts := strings.Split(e.JWS, ".")
	text, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var signed struct{ Prev string }
	_ = json.Unmarshal(text, &signed)
	return signed.Prev
}

// feed reads the whole feed. It leaves out the alarms about the disk of the machine that
// runs the tests.
func (w *world) feed() (all []feedEvent) {
	w.Helper()
	_, consumer, err := hub.Consumer(w.dir, "backend")
	w.must(err)
	for {
		texts, cursor, err := hubapi.NewClient(w.url, consumer.TLS).Feed(w.Context(), "backend", 1000, 0)
		w.must(err)
		if len(texts) == 0 {
			return all
		}
		for _, text := range texts {
			var e feedEvent
			w.must(json.Unmarshal(text, &e))
			if e.Type != event.TypeAlarm || e.Data.Kind != event.AlarmDisk {
				all = append(all, e)
			}
		}
		if len(texts) < 1000 {
			return all // without an acknowledgement, so that the next call reads everything again
		}
		w.must(hubapi.NewClient(w.url, consumer.TLS).AckFeed(w.Context(), "backend", cursor))
	}
}

// story describes the feed: visits by their names, announcements by their reasons.
func (w *world) story() string {
	w.Helper()
	var story []string
	for _, e := range w.feed() {
		text := e.Type
		switch e.Type {
		case event.TypeVisit:
			text = e.Data.Visit
		case event.TypeEpoch:
			if text = e.Data.Why; e.Data.LostFrom > 0 {
				text += fmt.Sprintf("(lost %d-%d)", e.Data.LostFrom, e.Data.LostThrough)
			}
		case event.TypeAlarm:
			text = "alarm"
		}
		if e.Conflict {
			text += "!"
		}
		story = append(story, text)
	}
	return strings.Join(story, " ")
}

// check compares the feed with the promises of the package reconcile.
func (w *world) check() {
	w.Helper()
	ids, links, vouched := map[string]bool{}, map[string]bool{}, map[string]bool{}
	numbers := map[string]bool{}
	for _, e := range w.feed() {
		if e.Type == event.TypeAlarm {
			continue
		}
		name := fmt.Sprintf("%s/%d", e.Epoch, e.Sequence)
		link := base64.RawURLEncoding.EncodeToString(event.Link(e.JWS))
		switch prev := e.prev(); {
		case ids[e.ID]:
			w.Errorf("event %s is in the feed twice", name)
		case prev != "" && !links[prev] && !vouched[link]:
			w.Errorf("event %s comes before its previous one", name)
		case e.Conflict != numbers[name]:
			w.Errorf("event %s has conflict %v", name, e.Conflict)
		}
		ids[e.ID], links[link], numbers[name] = true, true, true
		if o := e.Data; e.Type == event.TypeEpoch {
			vouched[o.Vouches] = true
			for n := o.LostFrom; n > 0 && n <= o.LostThrough; n++ {
				if !w.born[o.LostEpoch][n] {
					w.Errorf("event %s/%d is named as lost and never existed", o.LostEpoch, n)
				}
			}
		}
	}
	for i, m := range w.machines {
		for _, r := range m.kept() {
			if h, err := event.Peek(r.Data); err != nil || !ids[h.ID] {
				w.Errorf("the feed lacks event %s/%d, which machine %d keeps (%v)", h.Epoch, h.Sequence, i, err)
			}
		}
	}
}

// exists reports whether a file or folder exists.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
