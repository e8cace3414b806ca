package frontpanel_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"smartkiosk/cmd/internal/demo"
	"smartkiosk/cmd/internal/frontpanel"
	"smartkiosk/device/board"
	"smartkiosk/device/cue"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/screen"
)

// patience limits every wait. It is long because the machine may be busy.
const patience = 60 * time.Second

// TestMain lets the test binary also be the guardian of the door. The door's line is a
// FIFO with the name of the line in the working folder. Each level is one byte.
func TestMain(m *testing.M) {
	cue.Guard(func(pin string) (cue.Output, error) {
		f, err := os.OpenFile(pin, os.O_WRONLY, 0)
		if err != nil {
			return cue.Output{}, errors.New("no such line")
		}
		return cue.Output{Pin: &fifoPin{file: f}}, nil
	})
	os.Exit(m.Run())
}

type fifoPin struct {
	gpiotest.Pin
	file *os.File
}

func (p *fifoPin) Out(l gpio.Level) error {
	level := "0"
	if l {
		level = "1"
	}
	_, err := p.file.WriteString(level)
	return err
}

// doorLevel waits for the next level of the door's line.
func doorLevel(t *testing.T, fifo *os.File) string {
	t.Helper()
	var b [1]byte
	if err := fifo.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(fifo, b[:]); err != nil {
		t.Fatal("the door's line: ", err)
	}
	return string(b[:])
}

// await waits until the display begins with heading.
func (m *machine) await(t *testing.T, heading string) {
	t.Helper()
	m.until(t, "heading "+heading, func() bool { return strings.HasPrefix(m.text(), heading+"|") })
}

// until waits until display and lamps are as wanted.
func (m *machine) until(t *testing.T, what string, wanted func() bool) {
	t.Helper()
	late := time.After(patience)
	for !wanted() {
		select {
		case <-m.messages:
		case <-late:
			t.Fatalf("no %s: the display shows %q, and the lamps on are %q", what, m.text(), m.lit())
		}
	}
}

// press presses keys as long as a finger does. After each it waits until the display
// changes.
func (m *machine) press(t *testing.T, keys string) {
	t.Helper()
	for _, key := range keys {
		before := m.text()
		m.hold(key, true)
		m.until(t, "reaction to a key", func() bool { return m.text() != before })
		m.hold(key, false)
	}
}

// logged is a log that a test can wait for.
type logged struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.changed <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

func (l *logged) await(t *testing.T, text string) {
	t.Helper()
	for late := time.After(patience); ; {
		l.mu.Lock()
		said := l.text.String()
		l.mu.Unlock()
		if strings.Contains(said, text) {
			return
		}
		select {
		case <-l.changed:
		case <-late:
			t.Fatalf("the log lacks %q:\n%s", text, said)
		}
	}
}

// TestVisit runs a whole kiosk with a hub and a software card on the board file as it
// is. It starts without its keypad and serves when the keypad is there. A visitor
// types a PIN on the contacts, reads the display and is let in. A visit ends when its
// display is unplugged. The feed has all of it.
func TestVisit(t *testing.T) {
	file, err := filepath.Abs(boardFile)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := syscall.Mkfifo("GPIO24", 0o600); err != nil {
		t.Fatal(err)
	}
	door, err := os.OpenFile("GPIO24", os.O_RDWR, 0) // so that neither end blocks
	if err != nil {
		t.Fatal(err)
	}
	defer door.Close()

	m := newMachine(t)
	m.keys.Rows[0].Take(true)
	b, err := board.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := screen.Load()
	if err != nil {
		t.Fatal(err)
	}
	said := &logged{changed: make(chan struct{}, 1)}
	log := slog.New(slog.NewTextHandler(said, nil))
	p := frontpanel.Open(b, texts, nil, log)
	defer p.Close()
	newSlot := func(cards string) (demo.Slot, error) {
		deck, err := demo.LoadDeck(cards)
		return demo.NewSoftwareSlot(deck), err
	}
	d, err := demo.Open(t.Context(), filepath.Join(t.TempDir(), "demo"), demo.Loopback, newSlot, p, texts, log)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx, "test") }()

	if l := doorLevel(t, door); l != "0" {
		t.Errorf("the door's line begins with %s", l)
	}
	m.await(t, "Ute av drift")
	said.await(t, "out of service: a part of the panel is lost; look at its plugs, wires and supply\" part=keypad.matrix err=\"cannot open keypad: cannot use pin GPIO5: held by another program: line in use\"")
	m.keys.Rows[0].Take(false)
	m.await(t, "Sett inn kortet")

	if err := d.Insert("valid"); err != nil {
		t.Fatal(err)
	}
	m.await(t, "Tast PIN-koden")
	m.press(t, "1234#")
	m.await(t, "Velkommen")
	if l := doorLevel(t, door); l != "1" {
		t.Errorf("the door's line is %s after the verdict", l)
	}
	m.until(t, "green lamp", func() bool { return strings.Contains(m.lit(), "green") })
	if l := doorLevel(t, door); l != "0" {
		t.Errorf("the door's line is %s after its time", l)
	}
	d.Remove()
	m.await(t, "Sett inn kortet")

	if err := d.Insert("valid"); err != nil {
		t.Fatal(err)
	}
	m.await(t, "Tast PIN-koden")
	m.press(t, "12")
	m.bus.Unplug()
	m.hold('3', true) // typed while the display is gone
	said.await(t, "part=display.pcf8574 err=")
	said.await(t, "outcome=failed reason=display-lost")
	m.hold('3', false)
	m.bus.Between(m.lcd.PowerCycle)
	m.bus.Plug()
	m.await(t, "Beklager")
	d.Remove()
	m.await(t, "Sett inn kortet")

	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	expectFeed(t, d.Feed(limit))
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// expectFeed reads the backend's events until the last one that it expects, and
// checks that each expected event is there once.
func expectFeed(t *testing.T, events <-chan json.RawMessage) {
	t.Helper()
	missing := []string{
		"tamper unopened", "keypad.matrix lost", "keypad.matrix found", "visit granted",
		"display.pcf8574 lost", "visit failed display-lost", "display.pcf8574 found",
	}
	var seen []string
	for raw := range events {
		var e struct {
			Type string
			Data struct {
				Outcome, Reason string // of a visit
				Part, State     string
			}
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		got := ""
		switch e.Type {
		case event.TypeVisit:
			got = strings.TrimSpace(fmt.Sprint("visit ", e.Data.Outcome, " ", e.Data.Reason))
		case event.TypePart:
			got = fmt.Sprint(e.Data.Part, " ", e.Data.State)
		case event.TypeTamper:
			got = "tamper " + e.Data.State
		default:
			continue
		}
		if slices.Contains(seen, got) {
			t.Errorf("the feed has %q twice", got)
		}
		if i := slices.Index(missing, got); i >= 0 {
			missing, seen = slices.Delete(missing, i, i+1), append(seen, got)
		}
		if len(missing) == 0 {
			return
		}
	}
	t.Errorf("the feed lacks %q", missing)
}
