//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapped is a device-mapper device (linux/dm-ioctl.h).
type mapped struct {
	control *os.File
	name    string
}

// logWrites creates the device /dev/dm-0. It passes all accesses on to a disk
// and logs the writes on another disk
// (Documentation/admin-guide/device-mapper/log-writes.rst).
func logWrites(disk string, sectors uint64, log string) (*mapped, error) {
	control, err := os.OpenFile("/dev/mapper/control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	m := &mapped{control: control, name: "cut"}
	if err := m.call(unix.DM_DEV_CREATE, nil); err != nil {
		return nil, fmt.Errorf("cannot create device: %w", err)
	}
	spec := unix.DmTargetSpec{Length: sectors}
	copy(spec.Target_type[:], "log-writes")
	table := (*[unix.SizeofDmTargetSpec]byte)(unsafe.Pointer(&spec))[:]
	if err := m.call(unix.DM_TABLE_LOAD, append(table, disk+" "+log+"\x00"...)); err != nil {
		return nil, fmt.Errorf("cannot load table: %w", err)
	}
	if err := m.call(unix.DM_DEV_SUSPEND, nil); err != nil { // without the flag: resume
		return nil, fmt.Errorf("cannot start device: %w", err)
	}
	return m, nil
}

// mark puts a text in the log: at most about 400 bytes, without spaces.
func (m *mapped) mark(text string) error {
	sector := binary.NativeEndian.AppendUint64(nil, 0)
	if err := m.call(unix.DM_TARGET_MSG, append(sector, "mark "+text+"\x00"...)); err != nil {
		return fmt.Errorf("cannot mark %s: %w", text, err)
	}
	return nil
}

// remove ends the log.
func (m *mapped) remove() error {
	if err := m.call(unix.DM_DEV_REMOVE, nil); err != nil {
		return fmt.Errorf("cannot remove device: %w", err)
	}
	return m.control.Close()
}

func (m *mapped) call(request uintptr, payload []byte) error {
	b := make([]byte, unix.SizeofDmIoctl+len(payload)+7)
	header := (*unix.DmIoctl)(unsafe.Pointer(&b[0]))
	header.Version = [3]uint32{unix.DM_VERSION_MAJOR, 0, 0}
	header.Data_size = uint32(len(b))
	header.Data_start = unix.SizeofDmIoctl
	if request == unix.DM_TABLE_LOAD {
		header.Target_count = 1
	}
	copy(header.Name[:], m.name)
	copy(b[unix.SizeofDmIoctl:], payload)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, m.control.Fd(), request, uintptr(unsafe.Pointer(&b[0]))); errno != 0 {
		return errno
	}
	return nil
}
