package service

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNotifications reads what a real socket receives.
func TestNotifications(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	m := New(slog.New(slog.DiscardHandler), Systemd, "visits", "outbox")
	received := func() string {
		b := make([]byte, 256)
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	for want, do := range map[string]func(){
		"READY=1\nSTATUS=serving":   m.Ready,
		"STOPPING=1\nSTATUS=ending": m.Stopping,
		"WATCHDOG=1":                func() { m.Alive("outbox"); m.Alive("visits") },
	} {
		if do(); received() != want {
			t.Errorf("the socket does not receive %q", want)
		}
	}
}

// TestEveryPartFeedsTheWatchdog checks that a part that hangs ends the feeding.
func TestEveryPartFeedsTheWatchdog(t *testing.T) {
	var sent []string
	m := New(slog.New(slog.DiscardHandler), func(s string) error { sent = append(sent, s); return nil }, "visits", "outbox")
	for _, part := range []string{"visits", "visits", "someone else", "outbox", "outbox", "visits", "visits", "visits"} {
		m.Alive(part)
	}
	if want := []string{"WATCHDOG=1", "WATCHDOG=1"}; !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
}

func TestFailureIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	err := errors.New("connection refused")
	m := New(slog.New(slog.NewTextHandler(&log, nil)), func(string) error { return err }, "visits")
	m.Alive("visits")
	m.Alive("visits")
	err = nil
	m.Alive("visits")
	err = errors.New("no such file")
	m.Alive("visits")
	if got := strings.Count(log.String(), `msg="cannot notify the service manager, which may restart this program"`); got != 2 {
		t.Errorf("logged %d times:\n%s", got, &log)
	}
}

// TestWithoutServiceManager checks that a program can also be started by hand.
func TestWithoutServiceManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	var log bytes.Buffer
	m := New(slog.New(slog.NewTextHandler(&log, nil)), Systemd, "visits")
	m.Ready()
	m.Alive("visits")
	m = nil
	m.Ready()
	m.Alive("visits")
	m.Stopping()
	if log.Len() > 0 {
		t.Errorf("logged %s", &log)
	}
}
