//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"smartkiosk/device/cue"
	"smartkiosk/device/display/displaysim"
)

// fifoPin is the strike's line in its guardian, which is another process. It writes
// each level to a FIFO as one byte.
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

func openFIFOPin(path string) (cue.Output, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return cue.Output{}, errors.New("no such line")
	}
	return cue.Output{Pin: &fifoPin{file: f}}, nil
}

// strikeLine makes a FIFO, and a free line with the same name.
func strikeLine(t *testing.T) (name string, levels *os.File) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "strike")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	levels, err := os.OpenFile(name, os.O_RDWR, 0) // so that neither end waits for the other
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { levels.Close() })
	register(t, &gpiotest.Pin{N: name})
	return name, levels
}

// level returns the next level to which the strike's line was set.
func level(t *testing.T, levels *os.File) string {
	t.Helper()
	var b [1]byte
	if _, err := io.ReadFull(levels, b[:]); err != nil {
		t.Fatal(err)
	}
	return string(b[:])
}

// TestTryStrike checks that the guardian opens the door for one second after the person
// has agreed.
func TestTryStrike(t *testing.T) {
	name, levels := strikeLine(t)
	b := newPanelBench(t, fakeMachine(t, nil), "[strike]\npin = \""+name+"\"\nopen = \"3s\"\nmax = \"10s\"\n")
	b.test(t.Context())
	b.expect(t, "  The door opens for 1s, now. All right? [y n s q] ")
	if l := level(t, levels); l != "0" {
		t.Errorf("begins with %s", l)
	}
	b.press(t, "y")
	if l := level(t, levels); l != "1" {
		t.Errorf("does not open: %s", l)
	}
	if l := level(t, levels); l != "0" {
		t.Errorf("does not shut: %s", l)
	}
	b.answer(t, "Did it click, open, and shut again?", "y")
	b.end(t, nil, "strike           right\n                 it opens and shuts\n")
}

func TestStrikeStaysShut(t *testing.T) {
	name, levels := strikeLine(t)
	b := newPanelBench(t, fakeMachine(t, nil), "[strike]\npin = \""+name+"\"\nopen = \"3s\"\nmax = \"10s\"\n")
	b.test(t.Context(), "strike")
	b.answer(t, "All right?", "n")
	b.end(t, errNotRight, "strike           not tested\n                 the door was not to be opened\n")
	if _, err := levels.WriteString("."); err != nil {
		t.Fatal(err)
	}
	for l := ""; l != "."; {
		if l = level(t, levels); l == "1" {
			t.Error("the door was opened")
		}
	}
}

// TestTryStrikeLeft checks that the door closes when the test is stopped during that
// second, by a key or by Ctrl-C.
func TestTryStrikeLeft(t *testing.T) {
	for name, leave := range map[string]func(b *panelBench, interrupt func()){
		"stopped":     func(b *panelBench, _ func()) { b.press(t, "q") },
		"interrupted": func(_ *panelBench, interrupt func()) { interrupt() },
	} {
		t.Run(name, func(t *testing.T) {
			pin, levels := strikeLine(t)
			ctx, interrupt := context.WithCancel(t.Context())
			b := newPanelBench(t, fakeMachine(t, nil), "[strike]\npin = \""+pin+"\"\nopen = \"3s\"\nmax = \"10s\"\n")
			b.test(ctx)
			b.answer(t, "All right?", "y")
			b.expect(t, "Did it click")
			leave(b, interrupt)
			b.end(t, errNotRight, "strike           not tested\n                 stopped: it opens and shuts\n")
			interrupt()
			if _, err := levels.WriteString("."); err != nil {
				t.Fatal(err)
			}
			var seen string
			for !strings.HasSuffix(seen, ".") {
				seen += level(t, levels)
			}
			if !strings.HasSuffix(seen, "0.") || !strings.Contains(seen, "1") {
				t.Errorf("its line was %s", seen)
			}
		})
	}
}

// TestTrySerialDisplay tests a simulated display through a pseudo-terminal.
func TestTrySerialDisplay(t *testing.T) {
	far, near := terminal(t)
	module := &watched{module: displaysim.NewDMD110()}
	module.changed.L = &module.mu
	go func() {
		buf := make([]byte, 256)
		for {
			n, err := far.Read(buf)
			if err != nil {
				return
			}
			module.Write(buf[:n])
		}
	}()
	m := fakeMachine(t, nil)
	m.root = "/"
	b := newPanelBench(t, m, "[display.dm-d110]\nport = \""+near.Name()+"\"\nbaud = 9600\n")
	b.test(t.Context())
	b.expect(t, "Do you see ÆØÅ æøå?")
	module.wait("ÆØÅ æøå             |blåbærøl            ")
	b.press(t, "y")
	b.answer(t, "without their marks?", "y")
	b.expect(t, "Do you see rows 1 to 2")
	module.wait("1>-----------------<|2>-----------------<")
	b.press(t, "y")
	b.end(t, nil, `display.dm-d110  right
                 it cannot be asked what it shows
                 ÆØÅ æøå are seen
                 áčđŋšŧž are seen, or letters that look alike
                 every place of the glass shows
`)
	module.wait("                    |                    ")
}

// watched is a display module. Tests can wait until it shows a text.
type watched struct {
	mu      sync.Mutex
	changed sync.Cond
	module  *displaysim.Serial
}

func (w *watched) Write(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.module.Write(b)
	w.changed.Broadcast()
}

func (w *watched) wait(glass string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for strings.Join(w.module.Text(), "|") != glass {
		w.changed.Wait()
	}
}

// TestTryAtATerminal checks that one key answers without Enter, is not shown twice, and
// that the terminal is restored.
func TestTryAtATerminal(t *testing.T) {
	typist, tty := terminal(t)
	register(t, &lamp{Pin: gpiotest.Pin{N: "LG"}})
	b := newPanelBench(t, fakeMachine(t, nil), "[lamps]\ngreen = \"LG\"\n")
	b.stdin = tty
	b.test(t.Context())
	b.expect(t, "Is the green lamp lit, and no other?")
	if state, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS); err != nil || state.Lflag&(unix.ICANON|unix.ECHO) != 0 || state.Lflag&unix.ISIG == 0 {
		t.Errorf("the terminal is %+v, %v", state, err)
	}
	if _, err := typist.WriteString("y"); err != nil {
		t.Fatal(err)
	}
	b.expect(t, "y\n  right\n")
	b.end(t, nil, "lamps            right\n                 green lights alone\n")
	if state, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS); err != nil || state.Lflag&unix.ICANON == 0 || state.Lflag&unix.ECHO == 0 {
		t.Errorf("the terminal is left as %+v, %v", state, err)
	}
}
