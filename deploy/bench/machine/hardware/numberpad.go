//go:build linux

package hardware

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests of /dev/uinput (include/uapi/linux/uinput.h), and types of events
// (include/uapi/linux/input-event-codes.h).
const (
	uiDevCreate  = 0x5501
	uiDevDestroy = 0x5502
	uiDevSetup   = 0x405c5503
	uiSetEvBit   = 0x40045564
	uiSetKeyBit  = 0x40045565

	evSyn, evKey = 0, 1
	busUSB       = 3
)

// codes are the keys of a number pad: KEY_KP0 to KEY_KP9, KEY_KPENTER as #,
// KEY_BACKSPACE as * and KEY_KPSLASH as L.
var codes = map[rune]uint16{
	'0': 82, '1': 79, '2': 80, '3': 81, '4': 75, '5': 76, '6': 77, '7': 71, '8': 72, '9': 73, '#': 96, '*': 14, 'L': 98,
}

// otherCodes are further keys that number pads have: KEY_NUMLOCK, KEY_KPASTERISK,
// KEY_KPMINUS, KEY_KPPLUS and KEY_KPDOT.
var otherCodes = []uint16{69, 55, 74, 78, 83}

// NumberPad is a USB number pad, as the kernel's input layer sees it.
type NumberPad struct {
	name   string
	device *os.File // nil while it is unplugged
}

// PlugNumberPad plugs a number pad in.
func PlugNumberPad(name string) (*NumberPad, error) {
	p := &NumberPad{name: name}
	return p, p.Put()
}

// Put plugs the pad in.
func (p *NumberPad) Put() error {
	device, err := os.OpenFile("/dev/uinput", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	fd := int(device.Fd())
	err = unix.IoctlSetInt(fd, uiSetEvBit, evKey)
	for _, code := range codes {
		err = errors.Join(err, unix.IoctlSetInt(fd, uiSetKeyBit, int(code)))
	}
	for _, code := range otherCodes {
		err = errors.Join(err, unix.IoctlSetInt(fd, uiSetKeyBit, int(code)))
	}
	// struct uinput_setup: struct input_id (4 × 16 bits), char name[80], u32.
	var setup [92]byte
	setup[0] = busUSB
	copy(setup[8:87], p.name)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uiDevSetup, uintptr(unsafe.Pointer(&setup))); errno != 0 {
		err = errors.Join(err, errno)
	}
	if err := errors.Join(err, unix.IoctlSetInt(fd, uiDevCreate, 0)); err != nil {
		return fmt.Errorf("cannot plug in number pad: %w", errors.Join(err, device.Close()))
	}
	p.device = device
	return nil
}

// Pull unplugs the pad, if it is plugged in.
func (p *NumberPad) Pull() error {
	if p.device == nil {
		return nil
	}
	err := errors.Join(unix.IoctlSetInt(int(p.device.Fd()), uiDevDestroy, 0), p.device.Close())
	p.device = nil
	return err
}

// Listen opens the pad's event device as any other program may. The function that
// it returns closes the device and returns how many bytes of events it received.
func (p *NumberPad) Listen() (received func() (bytes int, err error), err error) {
	names, err := filepath.Glob("/sys/class/input/event*/device/name")
	if err != nil {
		return nil, err
	}
	for _, path := range names {
		name, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(name)) != p.name {
			continue
		}
		device := "/dev/input/" + strings.Split(path, "/")[4]
		fd, err := unix.Open(device, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("cannot listen to %s: %w", device, err)
		}
		return func() (int, error) {
			defer unix.Close(fd)
			n, err := unix.Read(fd, make([]byte, 4096))
			if errors.Is(err, unix.EAGAIN) {
				return 0, nil
			}
			return n, err
		}, nil
	}
	return nil, fmt.Errorf("%s has no event device", p.name)
}

// Press implements [Keys].
func (p *NumberPad) Press(key rune) error {
	if err := p.send(key, 1); err != nil {
		return err
	}
	time.Sleep(pressed)
	if err := p.send(key, 0); err != nil {
		return err
	}
	time.Sleep(released)
	return nil
}

// send sends that a key went down (1) or up (0). It writes two struct
// input_event, each with a time that the kernel sets, a type, a code and a value.
func (p *NumberPad) send(key rune, value uint32) error {
	code, ok := codes[key]
	if !ok {
		return fmt.Errorf("the number pad has no key %c", key)
	}
	const timeSize = 16
	var events []byte
	for _, e := range []struct {
		kind, code uint16
		value      uint32
	}{{evKey, code, value}, {evSyn, 0, 0}} {
		events = append(events, make([]byte, timeSize)...)
		events = binary.NativeEndian.AppendUint16(events, e.kind)
		events = binary.NativeEndian.AppendUint16(events, e.code)
		events = binary.NativeEndian.AppendUint32(events, e.value)
	}
	_, err := p.device.Write(events)
	return err
}
