package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/policy"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/terminal"
	"smartkiosk/kiosk/update"
	"smartkiosk/store"
)

// Installer installs new versions of the whole system, and restarts the machine.
type Installer interface {
	update.Installer
	Restart(ctx context.Context) error
}

// UpdateDir is the folder of the bundle of an update, in the state folder. updateState is the
// file with the state of the update there.
const (
	UpdateDir   = "update"
	updateState = "update.json"
)

// openUpdates returns the agent that updates the system.
func (d *Daemon) openUpdates(c *config.Config, by Installer, boot string, show func(mark string)) *update.Agent {
	return &update.Agent{
		Dir: filepath.Join(c.State, UpdateDir), Memory: update.File(filepath.Join(c.State, updateState)), Hub: d.client, Installer: by, BootID: boot, Uptime: uptime,
		Idle: d.visits.idle, Healthy: func(context.Context) error { return d.healthy() },
		Position: func() uint64 { return d.store.Sequence() },
		Room:     func() (int64, error) { return bundleRoom(c.State) },
		Tell:     func(u event.Update) error { return d.tellUpdate(filepath.Join(c.State, outboxFile), u) }, Restart: by.Restart, Show: show, Now: d.journal.Clocks.Now, Log: d.log,
	}
}

// tellUpdate writes an event about an update. After a good one no program needs the copies of
// the outbox in older formats.
func (d *Daemon) tellUpdate(outbox string, u event.Update) error {
	if u.State == event.UpdateGood {
		if err := store.RemoveCopies(outbox); err != nil {
			d.log.Warn("cannot delete copies of the outbox in older formats", "err", err)
		}
	}
	return d.journal.Update(u)
}

// bundleRoom returns how many bytes a bundle may take on the disk with the state folder.
// Events must always have room there.
func bundleRoom(state string) (int64, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(state, &disk); err != nil {
		return 0, fmt.Errorf("cannot determine the disk's free space: %w", err)
	}
	return max(0, int64(disk.Bavail)*int64(disk.Bsize)-2*store.DefaultHeadroom), nil
}

// healthy returns why the kiosk does not work, or nil. The visit machine knows whether a visit
// is possible: with the reader, the panel and the outbox.
func (d *Daemon) healthy() error {
	switch s := d.shown.last(); {
	case s.ID == "":
		return errors.New("the kiosk shows nothing yet")
	case s.ID == kiosk.ScreenOutOfService:
		return fmt.Errorf("the kiosk is out of service: %s", s.Reason)
	}
	for _, t := range d.offline.syncer.Tasks() {
		switch {
		case t.Name != policy.TaskPolicy:
		case t.Problem != "":
			return fmt.Errorf("the kiosk cannot get its policy: %s", t.Problem)
		case t.Done.IsZero():
			return errors.New("the kiosk has not reached its hub yet")
		}
	}
	return nil
}

// shownPanel is a panel that remembers what it shows.
type shownPanel struct {
	terminal.Panel
	mu     sync.Mutex
	screen kiosk.Screen
}

// Show implements terminal.Panel. It remembers nothing about a person.
func (p *shownPanel) Show(s kiosk.Screen) {
	p.mu.Lock()
	p.screen = kiosk.Screen{ID: s.ID, Reason: s.Reason}
	p.mu.Unlock()
	p.Panel.Show(s)
}

func (p *shownPanel) last() kiosk.Screen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen
}

// marks puts the marks of several sources in the corner of the panel; the first one that is
// not "" is shown.
type marks struct {
	show func(mark string)
	mu   sync.Mutex
	by   [2]string
}

// The sources of marks, the most important first.
const (
	identityMark = iota
	updateMark
)

// from returns the function that sets the mark of a source.
func (m *marks) from(source int) func(string) {
	return func(mark string) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.by[source] = mark
		for _, mark := range m.by {
			if mark != "" {
				m.show(mark)
				return
			}
		}
		m.show("")
	}
}

// systemVersion returns the version of the image that this machine runs (IMAGE_VERSION in
// os-release(5)), or otherwise if it does not run one.
func systemVersion(osRelease, otherwise string) string {
	f, err := os.Open(osRelease)
	if err != nil {
		return otherwise
	}
	defer f.Close()
	return imageVersion(f, otherwise)
}

func imageVersion(osRelease io.Reader, otherwise string) string {
	for lines := bufio.NewScanner(osRelease); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "IMAGE_VERSION="); ok {
			return strings.Trim(value, `"'`)
		}
	}
	return otherwise
}
