package cue

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Watchdog restarts the machine when this program makes no progress. It has no
// ticker. It pings the device when every part of the program has reported work
// since the last ping; if one part hangs, the pings stop.
type Watchdog struct {
	// Timeout is the timeout that the driver chose for the one requested.
	Timeout time.Duration
	// Restarted reports whether the watchdog caused the machine's last restart.
	Restarted bool
	// Disarms reports whether Close stops the watchdog. If it does not, the
	// machine restarts after Timeout unless the device is opened again.
	Disarms bool

	dog   watchdogFile
	parts []string

	mu      sync.Mutex
	waiting map[string]bool
}

// watchdogFile is an open watchdog device.
type watchdogFile interface {
	SetTimeout(seconds int) (actual int, err error)
	Info() (*unix.WatchdogInfo, error)
	BootStatus() (int, error)
	Keepalive() error
	WriteString(string) (int, error)
	Close() error
}

// OpenWatchdog opens a device, usually /dev/watchdog, which starts it. From then
// on every part must call Alive within timeout (whole seconds), or the machine
// restarts. Only one program at a time can open the device; systemd has it open
// when RuntimeWatchdogSec= is set.
func OpenWatchdog(path string, timeout time.Duration, parts ...string) (*Watchdog, error) {
	return openWatchdog(path, timeout, parts, openWatchdogFile)
}

func openWatchdog(path string, timeout time.Duration, parts []string, open func(string) (watchdogFile, error)) (*Watchdog, error) {
	if timeout < time.Second || timeout%time.Second != 0 || len(parts) == 0 {
		return nil, fmt.Errorf("cannot open watchdog: %v for %d parts: want whole seconds, and something that is alive", timeout, len(parts))
	}
	dog, err := open(path)
	if errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("cannot open watchdog: another program has it (systemd, by RuntimeWatchdogSec=?): %w", err)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot open watchdog: the device is missing (on a Pi, config.txt needs dtparam=watchdog=on): %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open watchdog: %w", err)
	}
	w := &Watchdog{dog: dog, parts: slices.Clone(parts)}
	if err := w.setUp(timeout); err != nil {
		_ = w.Close() // opening the device has started it
		return nil, fmt.Errorf("cannot set up watchdog: %w", err)
	}
	w.await()
	return w, nil
}

func (w *Watchdog) setUp(timeout time.Duration) error {
	info, err := w.dog.Info()
	if err != nil {
		return err
	}
	w.Disarms = info.Options&unix.WDIOF_MAGICCLOSE != 0
	boot, err := w.dog.BootStatus()
	if err != nil {
		return err
	}
	w.Restarted = boot > 0 && boot&unix.WDIOF_CARDRESET != 0
	seconds, err := w.dog.SetTimeout(int(timeout / time.Second))
	w.Timeout = time.Duration(seconds) * time.Second
	return err
}

// Alive reports that a part has done real work since its last call. When every
// part has called it, Alive pings the watchdog.
func (w *Watchdog) Alive(part string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.parts, part) {
		return fmt.Errorf("cannot ping watchdog: it knows no part %q", part)
	}
	delete(w.waiting, part)
	if len(w.waiting) > 0 {
		return nil
	}
	w.await()
	if err := w.dog.Keepalive(); err != nil {
		return fmt.Errorf("cannot ping watchdog: %w", err)
	}
	return nil
}

func (w *Watchdog) await() {
	w.waiting = make(map[string]bool, len(w.parts))
	for _, part := range w.parts {
		w.waiting[part] = true
	}
}

// Close stops the watchdog by writing the magic character V, if the driver
// supports that. A program that dies without Close does not stop it.
func (w *Watchdog) Close() error {
	_, err := w.dog.WriteString("V")
	if err = errors.Join(err, w.dog.Close()); err != nil {
		return fmt.Errorf("cannot stop watchdog: %w", err)
	}
	return nil
}

type watchdogDevice struct{ *os.File }

func openWatchdogFile(path string) (watchdogFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return watchdogDevice{f}, nil
}

func (d watchdogDevice) SetTimeout(seconds int) (int, error) {
	fd := int(d.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.WDIOC_SETTIMEOUT, seconds); err != nil {
		return 0, err
	}
	actual, err := unix.IoctlGetUint32(fd, unix.WDIOC_GETTIMEOUT)
	return int(actual), err
}

func (d watchdogDevice) Info() (*unix.WatchdogInfo, error) {
	return unix.IoctlGetWatchdogInfo(int(d.Fd()))
}

func (d watchdogDevice) BootStatus() (int, error) {
	status, err := unix.IoctlGetUint32(int(d.Fd()), unix.WDIOC_GETBOOTSTATUS)
	return int(int32(status)), err
}

func (d watchdogDevice) Keepalive() error { return unix.IoctlWatchdogKeepalive(int(d.Fd())) }
