package push_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/push"
	"smartkiosk/store"
)

// damagedKiosk is a kiosk whose disk loses events, together with a durable hub.
type damagedKiosk struct {
	t           *testing.T
	dir, url    string
	stopHub     func()
	credentials *hubapi.Credentials
	path        string
	outbox      *store.Store
	journal     *journal.Journal
	client      *hubapi.Client
}

func newDamagedKiosk(t *testing.T) *damagedKiosk {
	dir, url := makeHub(t)
	k := &damagedKiosk{t: t, dir: dir, url: url, path: filepath.Join(t.TempDir(), "outbox.db")}
	k.credentials = kioskCredentials(t, filepath.Join(dir, "kiosks", "k1"))
	k.client = hubapi.NewClient(url, k.credentials.TLS)
	k.restartHub()
	k.open()
	return k
}

func (k *damagedKiosk) restartHub() {
	if k.stopHub != nil {
		k.stopHub()
	}
	l, err := net.Listen("tcp", strings.TrimPrefix(k.url, "https://"))
	if err != nil {
		k.t.Fatal(err)
	}
	k.stopHub = serveHub(k.t, k.dir, l)
}

func (k *damagedKiosk) open() {
	k.t.Helper()
	var err error
	if k.outbox, err = store.Open(k.path, store.Options{Keep: 64}); err != nil {
		k.t.Fatal(err)
	}
	k.journal = newJournal(k.t, k.dir, k.credentials, k.outbox)
	k.t.Cleanup(func() { _ = k.outbox.Close() })
}

// visits records visits up to number through.
func (k *damagedKiosk) visits(through uint64) {
	k.t.Helper()
	for n := k.outbox.Sequence() + 1; n <= through; n++ {
		token := fmt.Appendf(nil, `{"pad":%q}`, strings.Repeat("x", 2900)) // so that each record has its own pages
		if err := k.journal.Record(k.t.Context(), kiosk.Record{Visit: fmt.Sprintf("v%d", n), Outcome: kiosk.Granted, Token: token}); err != nil {
			k.t.Fatal(err)
		}
	}
}

// hubGets makes the hub store the first n events. The kiosk does not learn of it.
func (k *damagedKiosk) hubGets(n int) {
	k.t.Helper()
	records, err := k.outbox.Pending(0, n)
	if err != nil || len(records) != n {
		k.t.Fatalf("%d records, %v", len(records), err)
	}
	var batch []json.RawMessage
	for _, r := range records {
		batch = append(batch, r.Data)
	}
	if _, err := k.client.SendEvents(k.t.Context(), batch); err != nil {
		k.t.Fatal(err)
	}
}

// push sends all pending events to the hub.
func (k *damagedKiosk) push() {
	k.t.Helper()
	ctx, stop := context.WithTimeout(k.t.Context(), time.Minute)
	defer stop()
	var log bytes.Buffer
	p := push.Pusher{Queue: drained{k.outbox, stop}, Send: k.client.SendEventsInTurn, Log: slog.New(slog.NewTextHandler(&log, nil))}
	if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
		k.t.Fatalf("%v; %d events are left\n%s", err, k.outbox.Len(), log.Bytes())
	}
}

// lose overwrites the pages of these events and salvages the rest.
func (k *damagedKiosk) lose(from, through uint64) {
	k.t.Helper()
	records, err := k.outbox.Records(from-1, int(through-from)+1)
	if err != nil {
		k.t.Fatal(err)
	}
	if err := k.outbox.Close(); err != nil {
		k.t.Fatal(err)
	}
	file, err := os.ReadFile(k.path)
	if err != nil {
		k.t.Fatal(err)
	}
	for _, r := range records {
		for at := bytes.Index(file, r.Data); at >= 0; at = bytes.Index(file, r.Data) {
			at &^= 4095
			copy(file[at:], bytes.Repeat([]byte{0xFF}, 4096))
		}
	}
	if err := os.WriteFile(k.path, file, 0o600); err != nil {
		k.t.Fatal(err)
	}
	if _, err := store.Open(k.path, store.Options{}); !errors.Is(err, store.ErrDamaged) {
		k.t.Fatalf("the damage is not seen: %v", err)
	}
	s, err := store.Salvage(k.path, time.Now(), 0, func(seq uint64, lost store.Range, prev []byte) (record, link []byte, err error) {
		return k.journal.Lost(seq, lost.From, lost.Through, prev)
	})
	if err != nil || !slices.Equal(s.Lost, []store.Range{{From: from, Through: through}}) {
		k.t.Fatalf("lost are %v, %v", s.Lost, err)
	}
	k.open()
}

// feed returns a description of each event in the hub's feed.
func (k *damagedKiosk) feed() (story []string) {
	k.t.Helper()
	_, consumer, err := hub.Consumer(k.dir, "backend")
	if err != nil {
		k.t.Fatal(err)
	}
	texts, _, err := hubapi.NewClient(k.url, consumer.TLS).Feed(k.t.Context(), "backend", 1000, 0)
	if err != nil {
		k.t.Fatal(err)
	}
	for _, text := range texts {
		var e struct {
			Type string
			Data struct {
				Visit         string
				EventSequence uint64
				From, Through uint64
			}
		}
		if err := json.Unmarshal(text, &e); err != nil {
			k.t.Fatal(err)
		}
		switch d := e.Data; e.Type {
		case event.TypeVisit:
			story = append(story, d.Visit)
		case event.TypeKept:
			story = append(story, fmt.Sprintf("kept %d of %d-%d", d.EventSequence, d.From, d.Through))
		case event.TypeLost:
			story = append(story, fmt.Sprintf("lost of %d-%d", d.From, d.Through))
		}
	}
	return story
}

// A kiosk loses pages of its disk with events that the hub has stored, whether or not
// the kiosk received the acknowledgement. The feed contains each event once and says
// which events were lost. The kiosk continues to push.
func TestLostAfterTheHubHadIt(t *testing.T) {
	for _, tt := range []struct {
		name          string
		stored        int  // events of six that the hub has
		acked         bool // and has acknowledged
		from, through uint64
		want          string
	}{
		{"the answer was lost, and the hub's last", 6, false, 5, 6, "v1 v2 v3 v4 v5 v6 kept 6 of 5-6 v7 v8"},
		{"the answer was lost, and some of the hub's", 4, false, 3, 5, "v1 v2 v3 v4 kept 4 of 3-5 lost of 3-5 v6 v7 v8"},
		{"the answer was lost, and what is behind", 4, false, 5, 6, "v1 v2 v3 v4 lost of 5-6 lost of 5-6 v7 v8"},
		{"the answer was lost, and one in the middle", 6, false, 3, 3, "v1 v2 v3 v4 v5 v6 v7 v8"},
		{"the newest, which was acknowledged", 6, true, 6, 6, "v1 v2 v3 v4 v5 v6 kept 6 of 6-6 v7 v8"},
		{"all, which were acknowledged", 6, true, 1, 6, "v1 v2 v3 v4 v5 v6 kept 6 of 1-6 v7 v8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := newDamagedKiosk(t)
			k.visits(6)
			if tt.acked {
				k.push()
			} else {
				k.hubGets(tt.stored)
			}
			k.lose(tt.from, tt.through)
			k.restartHub()
			k.visits(7)
			k.push()
			k.restartHub()
			k.visits(8)
			k.push()
			if got := strings.Join(k.feed(), " "); got != tt.want {
				t.Errorf("the feed has %s, want %s", got, tt.want)
			}
		})
	}
}

// The whole outbox is lost. The kiosk continues with two numbers that it keeps
// elsewhere: an event that the hub certainly has, and a sequence number that no event
// has used yet. For the numbers in between, the feed keeps the events that the hub has.
func TestBegunAnewBehindTheHub(t *testing.T) {
	k := newDamagedKiosk(t)
	k.visits(7)
	k.hubGets(6)
	if err := errors.Join(k.outbox.Close(), os.WriteFile(k.path, make([]byte, 64<<10), 0o600)); err != nil {
		t.Fatal(err)
	}
	_, err := store.Rebuild(k.path, time.Now(), store.Range{From: 4, Through: 8}, func(seq uint64, lost store.Range, prev []byte) (record, link []byte, err error) {
		return k.journal.Lost(seq, lost.From, lost.Through, prev)
	})
	if err != nil {
		t.Fatal(err)
	}
	k.open()
	k.visits(10)
	k.push()
	const want = "v1 v2 v3 v4 v5 v6 kept 6 of 4-8 lost of 4-8 lost of 4-8 v9 v10"
	if got := strings.Join(k.feed(), " "); got != want {
		t.Errorf("the feed has %s, want %s", got, want)
	}
}
