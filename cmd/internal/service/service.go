// Package service tells the service manager (systemd) how a program is doing: that it
// serves, that it makes progress, and that it ends (sd_notify(3)).
package service

import (
	"log/slog"
	"sync"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Manager is the service manager that started this program. It has no ticker: it hears
// of progress only when every part of the program has reported work since the last time.
// The methods of a nil Manager do nothing.
type Manager struct {
	log    *slog.Logger
	notify func(state string) error

	mu      sync.Mutex
	parts   []string
	waiting map[string]bool // parts that have not reported work yet
	failed  bool            // the last notification failed, and that is logged
}

// Systemd sends a state to the socket in $NOTIFY_SOCKET. Without this variable it does
// nothing.
func Systemd(state string) error {
	// The environment stays as it is: a program that removes it could not notify a
	// second time.
	_, err := daemon.SdNotify(false, state)
	return err
}

// New returns a service manager that notify, normally Systemd, sends states to. parts are
// the names of what must make progress once the program serves.
func New(log *slog.Logger, notify func(state string) error, parts ...string) *Manager {
	m := &Manager{log: log, notify: notify, parts: parts}
	m.await()
	return m
}

// Ready says that the program serves.
func (m *Manager) Ready() { m.send(daemon.SdNotifyReady + "\nSTATUS=serving") }

// Stopping says that the program ends.
func (m *Manager) Stopping() { m.send(daemon.SdNotifyStopping + "\nSTATUS=ending") }

// Alive reports that a part has done work since its last call. When every part has
// called it, the Manager feeds the service manager's watchdog. Other parts are ignored.
func (m *Manager) Alive(part string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	delete(m.waiting, part)
	all := len(m.waiting) == 0
	if all {
		m.await()
	}
	m.mu.Unlock()
	if all {
		m.send(daemon.SdNotifyWatchdog)
	}
}

func (m *Manager) await() {
	m.waiting = make(map[string]bool, len(m.parts))
	for _, part := range m.parts {
		m.waiting[part] = true
	}
}

// send logs the first of several failures.
func (m *Manager) send(state string) {
	if m == nil {
		return
	}
	err := m.notify(state)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil && !m.failed {
		m.log.Error("cannot notify the service manager, which may restart this program", "err", err)
	}
	m.failed = err != nil
}
