//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/daemon"
	"smartkiosk/kiosk/clock"
	"smartkiosk/kiosk/feed"
	"smartkiosk/kiosk/offline"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/store"
)

// load reads the configuration.
func (d *doctor) load() (*config.Config, error) {
	if d.settings != nil {
		return d.settings, nil
	}
	c, err := config.Load(d.config)
	if err == nil {
		d.settings = c
	}
	return c, err
}

func (d *doctor) configuration(context.Context) diagnosis {
	c, err := d.load()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return diagnose(stateFailed, "there is no %s", d.config).Advise("this machine is not a kiosk yet: sudo kioskctl enrol --hub URL --dir %s", filepath.Dir(d.config))
	case errors.Is(err, fs.ErrPermission):
		return diagnose(stateFailed, "%v", err).Advise("run doctor as root: sudo kioskctl doctor")
	case err != nil:
		return diagnose(stateFailed, "%v", err).Advise("correct it; /usr/share/doc/kioskd/examples/kioskd.toml explains each setting")
	}
	return diagnose(stateOK, "kiosk %s, hub %s", c.ID, c.Hub.URL)
}

// socket returns the path of kioskd's socket.
func (d *doctor) socket() string { return d.stateFile(daemon.Socket) }

func (d *doctor) stateFile(name string) string { return filepath.Join(d.stateFolder(), name) }

func (d *doctor) askedClock(ctx context.Context) (s clock.State, err error) {
	body, err := askKioskd(ctx, d.socket(), http.MethodGet, "/v1/clock", nil)
	if err == nil {
		err = json.Unmarshal(body, &s)
	}
	return s, err
}

func (d *doctor) kioskd(ctx context.Context) diagnosis {
	const log = "journalctl -u kioskd -n 50 says why; sudo systemctl restart kioskd starts it"
	var s daemon.Status
	_, err := liveKiosk(d.socket()).get(ctx, "/v1/status", &s)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return diagnose(stateUnknown, "%v", err).Advise("run doctor as root: sudo kioskctl doctor")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return diagnose(stateFailed, "kioskd does not run").Advise(log)
	case err != nil:
		return diagnose(stateFailed, "kioskd does not answer: %v", err).Advise(log)
	}
	d.running = s.Version
	return diagnose(stateOK, "runs")
}

// waitsLong is how old an event may become before it reaches the hub.
const waitsLong = time.Hour

func (d *doctor) outbox(ctx context.Context) diagnosis {
	state, oldest, err := d.outboxState(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return diagnose(stateWarning, "there is no outbox yet").Advise("kioskd makes it when it starts for the first time")
	}
	if err != nil {
		return diagnose(stateFailed, "%v", err).Advise("kioskctl events verify says what is damaged; kioskd saves what is readable when it starts")
	}
	waiting := state.Last - state.Acked
	switch {
	case waiting > 0 && !oldest.IsZero() && d.machine.now().Sub(oldest) > waitsLong:
		return diagnose(stateWarning, "%d events wait for the hub, the oldest since %s", waiting, oldest.UTC().Format("2006-01-02 15:04:05Z")).Advise("they are delivered as soon as the hub answers: see dns, hub and tls above")
	case state.ParkedCount > 0:
		return diagnose(stateWarning, "the hub refused %d events, which are set aside", state.ParkedCount).Advise("send them to support: kioskctl events export")
	}
	return diagnose(stateOK, "%d events wait for the hub; the last one is %d", waiting, state.Last)
}

// outboxState asks kioskd, or reads the file if kioskd does not run. oldest is the time of
// the oldest event that the hub does not have; zero if the hub has all.
func (d *doctor) outboxState(ctx context.Context) (state feed.State, oldest time.Time, err error) {
	live := liveKiosk(d.socket())
	if _, err = live.get(ctx, "/v1/outbox", &state); err == nil {
		var next []json.RawMessage
		if state.Last > state.Acked {
			_, err = live.get(ctx, fmt.Sprintf("/v1/events?max=1&after=%d", state.Acked), &next)
		}
		if len(next) > 0 {
			if h, err := event.Peek(next[0]); err == nil {
				oldest = h.Time
			}
		}
		return state, oldest, err
	}
	times := map[uint64]time.Time{}
	x, err := store.Inspect(d.stateFile("outbox.db"), func(r store.Record) error {
		if h, err := event.Peek(r.Data); err == nil {
			times[r.Sequence] = h.Time
		}
		return nil
	})
	if err == nil {
		err = x.Damage
	}
	return feed.State{First: x.First, Acked: x.Acked, Last: x.Last}, times[x.Acked+1], err
}

// Limits of the age of a policy. Kiosks ask for it every few minutes.
const policyOld = 24 * time.Hour

func (d *doctor) policy(ctx context.Context) diagnosis {
	witness, err := offline.OpenWitness(d.stateFile("witness.json"))
	if err != nil {
		return diagnose(stateUnknown, "%v", err)
	}
	issued, ever := witness.Followed()
	if !ever {
		return diagnose(stateWarning, "the hub has not given this kiosk a policy yet").Advise("the kiosk fetches it as soon as the hub answers: see dns, hub and tls above")
	}
	if issued.IsZero() {
		return diagnose(stateWarning, "the record of the policy is damaged: nobody is let in offline").Advise("the kiosk recovers as soon as the hub answers")
	}
	age := d.machine.now().Sub(issued).Round(time.Minute)
	var s daemon.Status
	if _, err := liveKiosk(d.socket()).get(ctx, "/v1/status", &s); err == nil && !s.PolicyUntil.IsZero() && d.machine.now().After(s.PolicyUntil) {
		return diagnose(stateFailed, "the policy ended on %s: the kiosk lets people in only with the hub", s.PolicyUntil.UTC().Format(time.RFC3339)).Advise("see dns, hub and tls above")
	}
	if age > policyOld {
		return diagnose(stateWarning, "the policy is %s old", age).Advise("see dns, hub and tls above; the hub issues a new one every few hours")
	}
	return diagnose(stateOK, "issued %s ago", age)
}

// schedule shows the age of everything that kioskd gets again and again.
func (d *doctor) schedule(ctx context.Context) diagnosis {
	var s daemon.Status
	if _, err := liveKiosk(d.socket()).get(ctx, "/v1/status", &s); err != nil {
		return diagnose(stateUnknown, "%v", err)
	}
	var ages, late []string
	for _, t := range s.Tasks {
		age, text := t.Age, t.Name+": "+roundAge(t.Age)+" old"
		if t.Done.IsZero() {
			age, text = s.Uptime, t.Name+": not since kioskd started "+roundAge(s.Uptime)+" ago"
		}
		if t.Problem != "" {
			text += " (" + t.Problem + ")"
		}
		if age > t.Late {
			late = append(late, text)
		}
		ages = append(ages, text)
	}
	if len(late) > 0 {
		return diagnose(stateWarning, "late: %s", strings.Join(late, "; ")).Advise("kioskd tries again by itself; see dns, hub and tls above")
	}
	return diagnose(stateOK, "%s", strings.Join(ages, "; "))
}

// roundAge returns a duration in days, hours, minutes or seconds.
func roundAge(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

func (d *doctor) versions(ctx context.Context) diagnosis {
	system := d.machine.read("etc/os-release")
	name := "unknown system"
	for line := range strings.Lines(system) {
		if pretty, is := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); is {
			name = strings.Trim(pretty, `"`)
		}
	}
	about := fmt.Sprintf("kioskctl %s, %s, Linux %s, %s", cli.Version(), name, orUnknown(d.machine.read("proc/sys/kernel/osrelease")), runtime.GOARCH)
	installed, err := d.installed(ctx)
	switch {
	case err != nil:
		return diagnose(stateWarning, "%s; kioskd is not installed", about).Advise("sudo apt-get install kioskd")
	case d.running != "" && installed != d.running:
		return diagnose(stateWarning, "kioskd %s is installed, but %s runs; %s", installed, d.running, about).Advise("sudo systemctl restart kioskd")
	case installed != cli.Version():
		return diagnose(stateWarning, "kioskd is %s, but %s", installed, about).Advise("install the same version of both")
	}
	return diagnose(stateOK, "kioskd and %s", about)
}
