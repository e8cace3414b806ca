//go:build uinput

package keypad

import (
	"errors"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests of /dev/uinput (include/uapi/linux/uinput.h).
const (
	uiDevCreate  = 0x5501
	uiDevDestroy = 0x5502
	uiDevSetup   = 0x405c5503
	uiSetEvBit   = 0x40045564
	uiSetKeyBit  = 0x40045565
)

// uinputPad is a number pad that the kernel treats as a real one.
type uinputPad struct{ *os.File }

func newUinputPad(t *testing.T, name string) uinputPad {
	t.Helper()
	f, err := os.OpenFile("/dev/uinput", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	// struct uinput_setup: struct input_id (4 × 16 bits), char name[80], u32.
	var setup [92]byte
	setup[0] = 3 // BUS_USB
	copy(setup[8:87], name)
	fd := int(f.Fd())
	fail := unix.IoctlSetInt(fd, uiSetEvBit, evKey)
	for code := range DefaultCodes() {
		if code != 15 && code != 1 {
			fail = errors.Join(fail, unix.IoctlSetInt(fd, uiSetKeyBit, int(code)))
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uiDevSetup, uintptr(unsafe.Pointer(&setup))); errno != 0 {
		fail = errors.Join(fail, errno)
	}
	if err := errors.Join(fail, unix.IoctlSetInt(fd, uiDevCreate, 0)); err != nil {
		t.Fatal(err)
	}
	return uinputPad{f}
}

func (p uinputPad) send(t *testing.T, events ...inputEvent) {
	t.Helper()
	for _, e := range events {
		if _, err := p.Write(e.whole()); err != nil {
			t.Fatal(err)
		}
	}
}

func (p uinputPad) unplug(t *testing.T) {
	t.Helper()
	if err := errors.Join(unix.IoctlSetInt(int(p.Fd()), uiDevDestroy, 0), p.Close()); err != nil {
		t.Fatal(err)
	}
}

// A pad that the kernel simulates appears, is grabbed so that other readers get
// nothing, sends keys, disappears and appears again. The test needs /dev/uinput
// and devtmpfs:
//
//	go test -tags uinput -run Uinput ./device/keypad
func TestUinput(t *testing.T) {
	const name = "Smartkiosk Test Pad"
	k, err := OpenUSB(USB{Match: name})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	wantEvent(t, k, Lost, "", "no number pad is plugged in")
	for range 2 {
		p := newUinputPad(t, name)
		wantEvent(t, k, Found, name, "")
		p.send(t, press(79)...)
		p.send(t, press(96)...)
		if a, b := <-k.Keys(), <-k.Keys(); a != '1' || b != '#' {
			t.Errorf("keys %q %q", a, b)
		}
		second, err := OpenUSB(USB{Match: name})
		if err != nil {
			t.Fatal(err)
		}
		wantEvent(t, second, Lost, "", "another program has grabbed it")
		second.Close()
		p.unplug(t)
		wantEvent(t, k, Lost, name, "unplugged")
	}
}
