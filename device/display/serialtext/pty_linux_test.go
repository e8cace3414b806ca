package serialtext_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"smartkiosk/device/display"
	"smartkiosk/device/display/displaysim"
	"smartkiosk/device/display/serialtext"
)

// pty returns the far end of a serial line and the name of the near end.
func pty(t *testing.T) (far *os.File, name string) {
	t.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	var n int
	conn, err := far.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return far, fmt.Sprintf("/dev/pts/%d", n)
}

// seen records what a Device reported, and when a module showed a text.
type watched struct {
	display.Device
	shown chan error
}

func (w *watched) Show(f display.Frame) error {
	err := w.Device.Show(f)
	w.shown <- err
	return err
}

// TestPort shows frames through a pseudo-terminal, unplugs it, plugs in another
// and checks that the latest frame appears there.
func TestPort(t *testing.T) {
	for _, kind := range []struct {
		part   func(serialtext.Port) *serialtext.Part
		module func() *displaysim.Serial
	}{
		{serialtext.NewLK204, displaysim.NewLK204},
		{serialtext.NewDMD110, displaysim.NewDMD110},
		{func(p serialtext.Port) *serialtext.Part {
			part, err := serialtext.NewSerLCD(p, 4, 20)
			if err != nil {
				t.Fatal(err)
			}
			return part
		}, func() *displaysim.Serial { return displaysim.NewSerLCD(4, 20) }},
	} {
		far, name := pty(t)
		names := make(chan string, 1)
		names <- name
		state := make(chan error, 8)
		shown := make(chan error, 8)
		keeper := display.Keep(func() (display.Device, error) {
			select {
			case name := <-names:
				port, err := serialtext.Open(name, 115200)
				if err != nil {
					return nil, err
				}
				text, err := display.NewText(kind.part(port))
				if err != nil {
					return nil, err
				}
				return &watched{text, shown}, nil
			default:
				return nil, errors.New("not plugged")
			}
		}, func(err error) { state <- err })

		keeper.Show(display.Frame{Rows: []string{"Sett inn kortet"}})
		if err := <-state; err != nil {
			t.Fatal(err)
		}
		if err := <-shown; err != nil {
			t.Fatal(err)
		}
		see(t, far, kind.module(), "Sett inn kortet")

		far.Close() // unplugged
		keeper.Show(display.Frame{Rows: []string{"Ikke nå"}})
		if err := <-shown; err == nil {
			t.Error("a frame was written to a port that was pulled")
		}
		if err := <-state; err == nil {
			t.Error("no one was told that the display is gone")
		}
		keeper.Show(display.Frame{Rows: []string{"Blåbær"}})
		far, name = pty(t)
		names <- name
		if err := <-state; err != nil {
			t.Fatal(err)
		}
		if err := <-shown; err != nil {
			t.Fatal(err)
		}
		see(t, far, kind.module(), "Blåbær")
		keeper.Close()
	}
}

// see lets a module read the far end until it shows a text.
func see(t *testing.T, far *os.File, module *displaysim.Serial, want string) {
	t.Helper()
	buffer := make([]byte, 256)
	for strings.TrimRight(module.Text()[0], " ") != want {
		n, err := far.Read(buffer)
		if err != nil {
			t.Fatalf("%v, after %q", err, module.Text())
		}
		module.Write(buffer[:n])
	}
	for _, fault := range module.Faults {
		t.Error(fault)
	}
}

// TestStuckPort checks a port whose far end is not read. The kernel's buffer is
// full, so a write does not return, and neither does Close. Both return when the
// line is unplugged. Unlike a serial driver, a pseudo-terminal has no other way
// to end them.
func TestStuckPort(t *testing.T) {
	far, name := pty(t)
	port, err := serialtext.Open(name, 9600)
	if err != nil {
		t.Fatal(err)
	}
	fill, err := unix.Open(name, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fill)
	for err == nil {
		_, err = unix.Write(fill, make([]byte, 256))
	}
	if err != unix.EAGAIN {
		t.Fatal(err)
	}
	writing, written := make(chan bool), make(chan bool)
	go func() {
		close(writing)
		port.Write(make([]byte, 512))
		close(written)
	}()
	<-writing
	closed := make(chan bool)
	go func() {
		port.Close()
		close(closed)
	}()
	far.Close()
	<-closed
	<-written
	if _, err := port.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a write after Close: %v", err)
	}
}
