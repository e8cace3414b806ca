package update

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// machine is a kiosk with two slots, a boot loader, RAUC, and a hub. Its power can be cut
// before or after each call of the agent.
type machine struct {
	t      testing.TB
	dir    string
	saved  []byte
	events []event.Update

	// RAUC and the boot loader.
	absent  bool
	slots   map[string]*slot
	booted  string
	primary string
	boots   int
	uptime  time.Duration

	// What goes wrong.
	foreign   bool   // RAUC does not trust the bundle's signature
	contains  string // version in the bundle, if it is not the offered one
	for_      string // kind of machine in the bundle
	damaged   string // why RAUC cannot install it
	dead      bool   // the new system does not start
	broken    error  // the kiosk does not work with the new system
	sick      error  // nor with the old one
	served    []byte // what the hub serves
	lineBreak int    // bytes after which each answer of the hub breaks; 0 for never
	room      int64
	visit     bool
	lost      bool // the new system loses the outbox
	now       time.Time

	offer *hubpolicy.Update
	mark  string
	calls int
	cutAt int // the power is cut at this call; 0 for never
	after bool
	off   bool // the machine restarts
	log   []string
}

type slot struct {
	version string
	good    bool
	tries   int
}

var bundle = bytes.Repeat([]byte("a new system of the kiosk "), 1000)

func newMachine(t testing.TB) *machine {
	sum := sha256.Sum256(bundle)
	return &machine{
		t: t, dir: filepath.Join(t.TempDir(), "update"),
		slots:  map[string]*slot{"rootfs.0": {version: "1.4.0", good: true, tries: 3}, "rootfs.1": {}},
		booted: "rootfs.0", primary: "rootfs.0", boots: 1, served: bundle, room: 1 << 30, for_: "smartkiosk-arm64",
		now:   time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC),
		offer: &hubpolicy.Update{Version: "1.5.0", Compatible: "smartkiosk-arm64", Digest: hex.EncodeToString(sum[:]), Size: int64(len(bundle))},
	}
}

// powerCut is the panic of a cut.
type powerCut struct{}

// call does what the agent asks for, unless the power is cut.
func (m *machine) call(name string, do func()) {
	m.calls++
	m.log = append(m.log, name)
	if m.calls == m.cutAt && !m.after {
		panic(powerCut{})
	}
	do()
	if m.calls == m.cutAt {
		panic(powerCut{})
	}
}

func (m *machine) Load() ([]byte, error) { return m.saved, nil }
func (m *machine) Save(text []byte) error {
	m.call("save", func() { m.saved = text })
	return nil
}

func (m *machine) UpdateBundle(_ context.Context, digest string, from, to int64) (body io.ReadCloser, err error) {
	m.call("fetch", func() {
		if digest != m.offer.Digest || from > to || to >= int64(len(m.served)) {
			err = errors.New("range is not satisfiable")
			return
		}
		text := m.served[from : to+1]
		if m.lineBreak > 0 && len(text) > m.lineBreak {
			body = io.NopCloser(io.MultiReader(bytes.NewReader(text[:m.lineBreak]), broken{}))
			return
		}
		body = io.NopCloser(bytes.NewReader(text))
	})
	return body, err
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

func (m *machine) Present(context.Context) (bool, error) { return !m.absent, nil }

func (m *machine) Status(context.Context) (compatible, slot, version string, err error) {
	if m.absent {
		return "", "", "", errors.New("there is no RAUC")
	}
	return "smartkiosk-arm64", m.booted, m.slots[m.booted].version, nil
}

func (m *machine) Inspect(_ context.Context, path string) (compatible, version, refusal string, err error) {
	text, err := os.ReadFile(path)
	switch {
	case err != nil:
		return "", "", "", err
	case m.foreign:
		return "", "", "signature verification failed: self-signed certificate", nil
	case !bytes.Equal(text, m.served):
		m.t.Errorf("RAUC was given %d bytes that are not the bundle", len(text))
	}
	if m.contains != "" {
		return m.for_, m.contains, "", nil
	}
	return m.for_, m.offer.Version, "", nil
}

func (m *machine) other() string {
	if m.booted == "rootfs.0" {
		return "rootfs.1"
	}
	return "rootfs.0"
}

func (m *machine) Install(_ context.Context, path string) (refusal string, err error) {
	other := m.slots[m.other()]
	// RAUC makes the slot bad before it writes it.
	m.call("write", func() { *other, m.primary = slot{}, m.booted })
	if m.damaged != "" {
		return m.damaged, nil
	}
	m.call("install", func() { *other, m.primary = slot{version: m.offer.Version, tries: 3}, m.other() })
	return "", nil
}

func (m *machine) MarkGood(context.Context) error {
	m.call("good", func() {
		s := m.slots[m.booted]
		s.good, s.tries, m.primary = true, 3, m.booted
	})
	return nil
}

func (m *machine) FallBack(context.Context) error {
	m.call("fall back", func() { *m.slots[m.booted], m.primary = slot{}, m.other() })
	return nil
}

// boot starts the machine as the boot loader does: it counts down, and takes the other slot
// if the first has no tries left.
func (m *machine) boot() {
	for range 10 {
		s := m.slots[m.primary]
		if s.tries == 0 {
			if m.primary = "rootfs.0"; m.slots[m.primary].tries == 0 {
				m.primary = "rootfs.1"
			}
			continue
		}
		s.tries--
		if m.dead && s.version == m.offer.Version {
			continue
		}
		m.booted, m.boots, m.off, m.uptime = m.primary, m.boots+1, false, 0
		return
	}
	m.t.Fatal("the machine starts from no slot")
}

func (m *machine) position() uint64 {
	if m.lost && m.onNew() {
		return 3
	}
	return uint64(100 + len(m.events))
}

func (m *machine) onNew() bool { return m.slots[m.booted].version == m.offer.Version }

func (m *machine) agent() *Agent {
	return &Agent{
		Dir: m.dir, Memory: m, Hub: m, Installer: m, Version: "1.0.0", BootID: time.Duration(m.boots).String(),
		Uptime: func() time.Duration { return m.uptime },
		Idle: func() (context.Context, bool) {
			if m.visit {
				return nil, false
			}
			return context.Background(), true
		},
		Healthy: func(context.Context) error {
			if m.onNew() {
				return m.broken
			}
			return m.sick
		},
		Position: m.position,
		Room:     func() (int64, error) { return m.room, nil },
		Tell: func(u event.Update) error {
			m.call("tell "+string(u.State), func() { m.events = append(m.events, u) })
			return nil
		},
		Restart: func(context.Context) error { m.call("restart", func() { m.off = true }); return nil },
		Show:    func(mark string) { m.mark = mark },
		Now:     func() time.Time { return m.now },
		Log:     slog.New(slog.DiscardHandler),
	}
}

// run lets the agent work until it has nothing to do or the machine has no power. It starts
// the machine again after that, and returns the agent's last error.
func (m *machine) run() (last error) {
	m.t.Helper()
	for range 20 {
		again, err := m.life()
		if last = err; !again {
			return last
		}
		m.boot()
	}
	m.t.Fatal("the machine starts again and again")
	return nil
}

// life is the time from one start of the machine to the next.
func (m *machine) life() (again bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(powerCut); !ok {
				panic(r)
			}
			again, m.cutAt = true, 0
		}
	}()
	a := m.agent()
	a.Offer(m.offer)
	a.load()
	for range 1000 {
		var wait time.Duration
		wait, err = a.step(m.t.Context())
		a.publish("")
		m.uptime += max(wait, time.Second)
		switch {
		case m.off:
			return true, nil
		case err != nil, wait >= every:
			return false, err
		case m.visit && wait == busyPause:
			return false, nil
		}
	}
	m.t.Fatal("the agent does not come to an end")
	return false, nil
}

// lastEvent returns the last event, or the zero event.
func (m *machine) lastEvent() (last event.Update) {
	for _, e := range m.events {
		last = e
	}
	return last
}
