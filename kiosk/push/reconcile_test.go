package push_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/push"
	"smartkiosk/store"
)

func startWorld(t *testing.T) (w *world, m *machine) {
	t.Helper()
	dir, url := makeHub(t)
	w = newWorld(t, dir, url, t.TempDir(), kioskCredentials(t, filepath.Join(dir, "kiosks", "k1")))
	t.Cleanup(w.close)
	return w, w.machines[0]
}

func (m *machine) recorded(n int) {
	m.Helper()
	for range n {
		m.record()
	}
}

func (w *world) tells(want string) {
	w.Helper()
	if got := w.story(); got != want {
		w.Errorf("the feed has\n%s, want\n%s", got, want)
	}
	w.check()
}

// TestReplacedCard: the SD card is replaced while the network is down, twice. The kiosk
// serves, and all of its events reach the feed.
func TestReplacedCard(t *testing.T) {
	w, m := startWorld(t)
	m.recorded(2)
	m.push()
	for range 2 {
		m.replace()
		m.recorded(2)
	}
	m.push()
	m.record()
	m.push()
	w.tells("new v1 v2 new v5 v6 v7") // v3 and v4 were on the second card only
}

// TestRestoredImage: the outbox is restored from an image that is some events old, after the
// hub has received the later ones.
func TestRestoredImage(t *testing.T) {
	w, m := startWorld(t)
	image := filepath.Join(w.scratch, "image.db")
	m.recorded(2)
	m.push()
	m.copyTo(image)
	m.recorded(2)
	m.push()
	m.restore(image)
	m.recorded(3)
	m.push()
	m.record()
	m.push()
	w.tells("new v1 v2 v3 v4 alarm v5! v6! v7 conflict v8")
}

// TestLostCommits: a disk that lies loses the last commit, whether or not the hub has it.
func TestLostCommits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		pushed bool
		want   string
	}{
		{"after the hub had it", true, "new v1 v2 alarm v3! conflict v4"},
		{"before the hub had it", false, "new v1 v3 v4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, m := startWorld(t)
			m.record()
			m.push()
			before := filepath.Join(w.scratch, "before.db")
			m.copyTo(before)
			m.record()
			if tt.pushed {
				m.push()
			}
			m.restore(before)
			m.record()
			m.push()
			m.record()
			m.push()
			w.tells(tt.want)
		})
	}
}

// TestRestoredHub: the hub is restored from a backup. The kiosk sends again what it still has,
// and names as lost what it has not.
func TestRestoredHub(t *testing.T) {
	for _, tt := range []struct {
		name   string
		pruned bool
		want   string
	}{
		{"the kiosk has all", false, "new v1 v2 v3 v4 v5"},
		{"the kiosk has nothing", true, "new v1 gap(lost 3-5) v5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, m := startWorld(t)
			m.record()
			m.push()
			w.backUpHub(filepath.Join(w.scratch, "backup"))
			m.recorded(3)
			m.push()
			if tt.pruned {
				m.prune()
			}
			w.restoreHub(filepath.Join(w.scratch, "backup"))
			m.record()
			m.push()
			w.tells(tt.want)
		})
	}
}

// TestSecondMachine: a second machine has the same identity and a copy of the outbox.
func TestSecondMachine(t *testing.T) {
	w, m := startWorld(t)
	m.record()
	m.push()
	m.copyTo(filepath.Join(w.scratch, "copy", "outbox.db"))
	second := w.add(filepath.Join(w.scratch, "copy"))
	m.record()
	second.record()
	for range 2 {
		m.push()
		second.push()
	}
	m.record()
	second.record()
	m.push()
	second.push()
	w.tells("new v1 v2 alarm v3! conflict v4 conflict v5")
}

// TestNewKey: the device key is replaced while more events wait than an outbox once had dead
// letters.
func TestNewKey(t *testing.T) {
	w, m := startWorld(t)
	m.recorded(150)
	w.newKey()
	m.credentials, m.former = w.keys, w.former
	m.closed(func() {})
	m.recorded(2)
	m.push()
	if n := strings.Count(w.story(), "v"); n != 152 {
		t.Errorf("the feed has %d visits", n)
	}
	if letters, err := m.outbox.DeadLetters(); err != nil || len(letters) != 0 {
		t.Errorf("%d dead letters, %v", len(letters), err)
	}
	w.check()
}

// TestDamage: a page with an event is damaged. The feed has all others. If the hub has the
// event too, nothing is named as lost.
func TestDamage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		pushed bool
		want   string
	}{
		{"that the hub has", true, "new v1 v2 v3 v4 v5"},
		{"that the hub does not have", false, "new v1 gap(lost 3-3) v3 v4 v5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, m := startWorld(t)
			m.recorded(4)
			if tt.pushed {
				m.push()
			}
			m.lose(2)
			m.record()
			m.push()
			w.tells(tt.want)
		})
	}
}

// TestRestartBeforeTheAnnouncement: kioskd stops after it has begun a new epoch and before it
// has sent the announcement. It does not begin another epoch.
func TestRestartBeforeTheAnnouncement(t *testing.T) {
	w, m := startWorld(t)
	m.recorded(4)
	m.lose(2)
	ctx, stop := context.WithCancel(t.Context())
	p := push.Pusher{Queue: m.outbox, Send: m.client.SendEventsInTurn, Log: slog.New(slog.DiscardHandler)}
	p.BeginEpoch = func(e event.Epoch) (uint64, error) {
		stop()
		return m.journal.BeginEpoch(e)
	}
	if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if m.outbox.Epoch().First != 6 {
		t.Fatalf("epoch %+v", m.outbox.Epoch())
	}
	m.closed(func() {})
	m.record()
	m.push()
	w.tells("new v1 gap(lost 3-3) v3 v4 v5")
}

// TestPrune checks the test's own prune.
func TestPrune(t *testing.T) {
	_, m := startWorld(t)
	m.recorded(3)
	m.push()
	m.prune()
	if got := m.outbox.Position(); got != (store.Position{First: 5, Acked: 4, Last: 4}) {
		t.Errorf("position %+v", got)
	}
}
