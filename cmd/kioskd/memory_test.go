package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"net/http"
	"net/http/httptest"
	"smartkiosk/device/panel"
)

// hidden is set in the environment of the process that TestHideMemory starts.
const hidden = "TEST_HIDE_MEMORY"

// TestHideMemory checks a process that has called hideMemory. That process is a second
// test binary, because the setting cannot be reset reliably.
func TestHideMemory(t *testing.T) {
	if os.Getenv(hidden) != "" {
		hideMemory()
		var core unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil || core != (unix.Rlimit{}) {
			t.Errorf("core dumps are limited to %+v, %v", core, err)
		}
		if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 0 {
			t.Errorf("dumpable is %d, %v", dumpable, err)
		}
		return
	}
	c := exec.Command(os.Args[0], "-test.run=^TestHideMemory$")
	c.Env = append(os.Environ(), hidden+"=1")
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestPageNextToKeypad checks that a page next to a keypad shows what the display
// shows, and accepts no keys.
func TestPageNextToKeypad(t *testing.T) {
	for _, displayOnly := range []bool{false, true} {
		p := panel.New()
		send := func(method, path string) int {
			r := httptest.NewRequest(method, "http://127.0.0.1:8080"+path, strings.NewReader(`{"key":"1"}`))
			r.RemoteAddr = "127.0.0.1:1234"
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			panelPage(p, displayOnly, nil).ServeHTTP(w, r)
			return w.Code
		}
		want := http.StatusNoContent
		if displayOnly {
			want = http.StatusForbidden
		}
		if got := send("POST", "/panel/keys"); got != want || len(p.Keys()) == 1 == displayOnly {
			t.Errorf("display only %v: a key gets %d, want %d; %d keys arrived", displayOnly, got, want, len(p.Keys()))
		}
		if got := send("GET", "/panel/"); got != http.StatusOK {
			t.Errorf("display only %v: the page gets %d", displayOnly, got)
		}
	}
}
