package cue

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// machine is a machine with a watchdog as Documentation/watchdog/watchdog-api.rst
// describes it. It restarts when its device was opened and was then not written
// to or pinged in time, unless the device was closed after a V and the driver
// supports that.
type machine struct {
	options  uint32
	boot     int
	failures map[string]error

	timer     *time.Timer
	timeout   time.Duration
	magic     bool
	restarted atomic.Bool
	closed    bool
}

func (m *machine) open(string) (watchdogFile, error) {
	if err := m.failures["open"]; err != nil {
		return nil, err
	}
	m.timeout = time.Minute
	m.timer = time.AfterFunc(m.timeout, func() { m.restarted.Store(true) })
	return m, nil
}

func (m *machine) SetTimeout(seconds int) (int, error) {
	m.timeout = min(time.Duration(seconds)*time.Second, 15*time.Second) // the longest timeout of a Pi
	m.timer.Reset(m.timeout)
	return int(m.timeout / time.Second), m.failures["timeout"]
}

func (m *machine) Info() (*unix.WatchdogInfo, error) {
	return &unix.WatchdogInfo{Options: m.options}, m.failures["info"]
}
func (m *machine) BootStatus() (int, error) { return m.boot, m.failures["boot"] }

func (m *machine) Keepalive() error {
	m.timer.Reset(m.timeout)
	return m.failures["ping"]
}

func (m *machine) WriteString(s string) (int, error) {
	m.timer.Reset(m.timeout)
	m.magic = strings.Contains(s, "V") && m.options&unix.WDIOF_MAGICCLOSE != 0
	return len(s), nil
}

func (m *machine) Close() error {
	m.closed = true
	if m.magic {
		m.timer.Stop()
	}
	return nil
}

func TestWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{options: unix.WDIOF_MAGICCLOSE, boot: unix.WDIOF_CARDRESET}
		w, err := openWatchdog("", time.Minute, []string{"visits", "hub"}, m.open)
		if err != nil {
			t.Fatal(err)
		}
		if w.Timeout != 15*time.Second || !w.Restarted || !w.Disarms {
			t.Errorf("%v %v %v", w.Timeout, w.Restarted, w.Disarms)
		}
		for i := range 100 {
			time.Sleep(5 * time.Second)
			if err := errors.Join(w.Alive("visits"), w.Alive("visits")); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				err = w.Alive("hub")
			}
		}
		if m.restarted.Load() || err != nil {
			t.Fatalf("restarted while all went well, %v", err)
		}
		if err := w.Alive("stranger"); err == nil || err.Error() != `cannot ping watchdog: it knows no part "stranger"` {
			t.Errorf("%v", err)
		}
		for range 4 { // the part "hub" hangs
			time.Sleep(5 * time.Second)
			_ = w.Alive("visits")
		}
		synctest.Wait()
		if !m.restarted.Load() {
			t.Error("one part hangs and the other keeps the machine up")
		}
	})
}

func TestWatchdogCloses(t *testing.T) {
	for _, options := range []uint32{unix.WDIOF_MAGICCLOSE, 0} {
		synctest.Test(t, func(t *testing.T) {
			m := &machine{options: options}
			w, err := openWatchdog("", time.Minute, []string{"visits"}, m.open)
			if err != nil {
				t.Fatal(err)
			}
			if w.Restarted || w.Disarms != (options != 0) {
				t.Errorf("%v %v", w.Restarted, w.Disarms)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			if m.restarted.Load() != (options == 0) {
				t.Errorf("options %#x: restarted %v after Close", options, m.restarted.Load())
			}
		})
	}
}

func TestWatchdogErrors(t *testing.T) {
	fault := errors.New("fault")
	for _, tt := range []struct {
		at      string
		err     error
		timeout time.Duration
		parts   []string
		want    string
	}{
		{"open", unix.EBUSY, time.Second, []string{"a"}, "cannot open watchdog: another program has it (systemd, by RuntimeWatchdogSec=?)"},
		{"open", os.ErrNotExist, time.Second, []string{"a"}, "cannot open watchdog: the device is missing (on a Pi, config.txt needs dtparam=watchdog=on)"},
		{"open", fault, time.Second, []string{"a"}, "cannot open watchdog: fault"},
		{"info", fault, time.Second, []string{"a"}, "cannot set up watchdog: fault"},
		{"boot", fault, time.Second, []string{"a"}, "cannot set up watchdog: fault"},
		{"timeout", fault, time.Second, []string{"a"}, "cannot set up watchdog: fault"},
		{"", nil, time.Millisecond, []string{"a"}, "cannot open watchdog: 1ms for 1 parts: want whole seconds"},
		{"", nil, time.Second, nil, "cannot open watchdog: 1s for 0 parts"},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := &machine{options: unix.WDIOF_MAGICCLOSE, failures: map[string]error{tt.at: tt.err}}
			_, err := openWatchdog("", tt.timeout, tt.parts, m.open)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			if m.restarted.Load() || m.timer != nil && !m.closed {
				t.Errorf("%s: left running", tt.at)
			}
		})
	}
}

// A plain file stands in for the device. The kernel refuses the requests on it,
// and the last write is the magic V.
func TestWatchdogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "watchdog")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenWatchdog(path, time.Second, "visits"); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("%v", err)
	}
	if got, err := os.ReadFile(path); string(got) != "V" || err != nil {
		t.Errorf("written: %q, %v", got, err)
	}
	if _, err := OpenWatchdog(path+"0", time.Second, "visits"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
