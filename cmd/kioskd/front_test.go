package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/display/displaysim"
)

// till is a customer display at the other end of a pseudo-terminal.
type till struct {
	far *os.File

	mu      sync.Mutex
	module  *displaysim.Serial
	changed chan struct{}
}

// plug connects a new display under a device name, as udev does with a serial
// adapter.
func plug(t *testing.T, name string) *till {
	t.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := far.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	failed := conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err := errors.Join(failed, err); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(fmt.Sprintf("/dev/pts/%d", n), name); err != nil {
		t.Fatal(err)
	}
	d := &till{far: far, module: displaysim.NewDMD110(), changed: make(chan struct{}, 1)}
	t.Cleanup(func() { d.far.Close() })
	go d.take()
	return d
}

func (d *till) take() {
	buffer := make([]byte, 256)
	for {
		n, err := d.far.Read(buffer)
		if err != nil {
			return
		}
		d.mu.Lock()
		_, _ = d.module.Write(buffer[:n])
		d.mu.Unlock()
		select {
		case d.changed <- struct{}{}:
		default:
		}
	}
}

// shows waits until the display's first row is heading.
func (d *till) shows(t *testing.T, heading string) {
	t.Helper()
	for late := time.After(patience); ; {
		d.mu.Lock()
		text := d.module.Text()
		d.mu.Unlock()
		if len(text) > 0 && strings.TrimSpace(text[0]) == heading {
			return
		}
		select {
		case <-d.changed:
		case <-late:
			t.Fatalf("the display shows %q, expected %q", text, heading)
		}
	}
}

// TestBoard checks that kioskd with a board shows the same on display and page. It
// must be out of service while the display is unplugged, and serve again when another
// is plugged in.
func TestBoard(t *testing.T) {
	pcsctest.Start(t)
	s := newSite(t)
	port := s.path("display")
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	configured := strings.Replace(string(text), "[panel]\n", "[panel]\nboard = \"board.toml\"\n", 1)
	for name, content := range map[string]string{
		s.config:                           configured,
		s.path("hub/kiosks/k1/board.toml"): fmt.Sprintf("name = \"test\"\n[display.dm-d110]\nport = %q\nbaud = 9600\n", port),
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := plug(t, port)
	p := newPerson(t, s.panel)
	k := s.startKiosk(p)
	p.sees("welcome")
	first.shows(t, "Sett inn kortet")

	first.far.Close()
	if err := os.Remove(port); err != nil {
		t.Fatal(err)
	}
	p.presses("L") // the page still shows it
	p.sees("out-of-service")
	k.await(`level=ERROR msg="out of service: a part of the panel is lost; look at its plugs, wires and supply" part=display.dm-d110 err=`)

	second := plug(t, port)
	second.shows(t, "Sett inn kortet")
	p.sees("welcome")
	k.stop()
	second.shows(t, "Ute av drift")

	// The display also shows when kioskd cannot start.
	second.far.Close()
	if err := os.Remove(port); err != nil {
		t.Fatal(err)
	}
	third := plug(t, port)
	if err := os.Remove(s.path("hub/kiosks/k1/kiosk.key")); err != nil {
		t.Fatal(err)
	}
	if said := fails(t, "kioskd", "run", "--config", s.config); !strings.Contains(said, "kiosk.key") {
		t.Errorf("it said %s", said)
	}
	third.shows(t, "Ute av drift")
}

// TestBoardRefused checks that kioskd refuses a board without keypad or display, and
// says what is missing.
func TestBoardRefused(t *testing.T) {
	s := newSite(t)
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	board := s.path("hub/kiosks/k1/board.toml")
	configured := strings.Replace(string(text), "listen = \""+s.panel+"\"", "board = \"board.toml\"", 1)
	if err := os.WriteFile(s.config, []byte(configured), 0o600); err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]string{
		"name = \"test\"\n[keypad.usb]\n": "a visit needs a display and a keypad, and the board has 0 and 1",
		"name = \"test\"\n[keypad.ps2]\n": `cannot use board ` + board + `: line 2: unknown key "keypad.ps2"`,
	} {
		if err := os.WriteFile(board, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if said := fails(t, "kioskd", "run", "--config", s.config); !strings.Contains(said, want) {
			t.Errorf("%q:\n%s\nwant %s", content, said, want)
		}
	}
}
