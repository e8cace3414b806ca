package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestServiceManager checks what hub and kiosk tell the service manager: that they serve,
// that they make progress, and that they end.
func TestServiceManager(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	next := func() string {
		b := make([]byte, 256)
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		state, _, _ := strings.Cut(string(b[:n]), "\n")
		return state
	}
	t.Setenv("NOTIFY_SOCKET", path)
	s := newSite(t)
	for _, start := range []func() *process{s.startHub, func() *process { return s.startKiosk(newPerson(t, s.panel)) }} {
		p := start()
		for _, want := range []string{"READY=1", "WATCHDOG=1"} {
			if got := next(); got != want {
				t.Fatalf("%s says %q, want %q", p.name, got, want)
			}
		}
		p.stop()
		for state := next(); state != "STOPPING=1"; state = next() {
			if state != "WATCHDOG=1" {
				t.Errorf("%s says %q at the end", p.name, state)
			}
		}
	}
}
