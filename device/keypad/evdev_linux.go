package keypad

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests of Linux's event devices (include/uapi/linux/input.h).
// asm-generic/ioctl.h packs direction, size of the argument, 'E' and number.
const (
	ioctlWrite uint = 1 << 30
	ioctlRead  uint = 2 << 30
	evioc      uint = 'E' << 8

	eviocgrab = ioctlWrite | 4<<16 | evioc | 0x90 // argument: 1 to grab
)

func eviocgname(size uint) uint      { return ioctlRead | size<<16 | evioc | 0x06 }
func eviocgphys(size uint) uint      { return ioctlRead | size<<16 | evioc | 0x07 }
func eviocgkey(size uint) uint       { return ioctlRead | size<<16 | evioc | 0x18 }
func eviocgbit(kind, size uint) uint { return ioctlRead | size<<16 | evioc | (0x20 + kind) }

// evdev is an open /dev/input/event*.
type evdev struct{ *os.File }

func openEvdev(path string) (padFile, error) {
	// Non-blocking, so that Close and a deadline end a Read.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return evdev{f}, nil
}

func (d evdev) Describe() (name string, keys keyset, err error) {
	var text [256]byte
	if err := d.ioctl(eviocgname(uint(len(text))), unsafe.Pointer(&text)); err != nil {
		return "", keys, err
	}
	err = d.ioctl(eviocgbit(evKey, uint(len(keys))), unsafe.Pointer(&keys))
	before, _, _ := bytes.Cut(text[:], []byte{0})
	return string(before), keys, err
}

// Physical returns where the device is plugged in; "" for a device without a
// plug, such as one of uinput.
func (d evdev) Physical() string {
	var text [256]byte
	if err := d.ioctl(eviocgphys(uint(len(text))), unsafe.Pointer(&text)); err != nil {
		return ""
	}
	before, _, _ := bytes.Cut(text[:], []byte{0})
	return string(before)
}

// Grab makes the kernel send the device's events only to this file, not to
// consoles, a desktop or other readers. The grab lasts until the file is closed,
// also by a crash (drivers/input/evdev.c).
func (d evdev) Grab() error {
	return d.control(func(fd uintptr) error { return unix.IoctlSetInt(int(fd), eviocgrab, 1) })
}

func (d evdev) Down() (keys keyset, err error) {
	err = d.ioctl(eviocgkey(uint(len(keys))), unsafe.Pointer(&keys))
	return keys, err
}

func (d evdev) ioctl(request uint, arg unsafe.Pointer) error {
	return d.control(func(fd uintptr) error {
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, uintptr(request), uintptr(arg)); errno != 0 {
			return errno
		}
		return nil
	})
}

func (d evdev) control(f func(fd uintptr) error) error {
	raw, err := d.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = f(fd) }); err != nil {
		return err
	}
	if failed == syscall.ENOTTY {
		return fmt.Errorf("%s is not an input device", d.Name())
	}
	return failed
}
