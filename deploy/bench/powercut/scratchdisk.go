//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// scratchDisk is a disk in memory that the kernel can mount.
type scratchDisk struct {
	image  []byte // the content, while it is not mounted
	file   *os.File
	folder string
}

func newScratchDisk(folder string) (*scratchDisk, error) {
	fd, err := unix.MemfdCreate("powercut", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	d := &scratchDisk{file: os.NewFile(uintptr(fd), "powercut"), folder: folder}
	if err := d.file.Truncate(diskSize); err != nil {
		return nil, err
	}
	d.image, err = unix.Mmap(fd, 0, diskSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return d, err
}

func (d *scratchDisk) close() {
	_ = unix.Munmap(d.image)
	_ = d.file.Close()
}

// mounted mounts the disk as a restarted machine would and calls f.
func (d *scratchDisk) mounted(f func(folder string) error) (err error) {
	loop, err := d.attach()
	if err != nil {
		return fmt.Errorf("cannot attach loop device: %w", err)
	}
	defer func() { err = errors.Join(err, loop.Close()) }() // detaches
	if err := unix.Mount(loop.Name(), d.folder, "ext4", 0, ""); err != nil {
		return fmt.Errorf("cannot mount the disk after the cut: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Unmount(d.folder, 0)) }()
	return f(d.folder)
}

// attach returns a loop device that is detached when it is closed and not
// mounted any more.
func (d *scratchDisk) attach() (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, err
		}
		loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		config := unix.LoopConfig{Fd: uint32(d.file.Fd()), Size: sector, Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}}
		err = unix.IoctlLoopConfigure(int(loop.Fd()), &config)
		if err == nil {
			return loop, nil
		}
		if err = errors.Join(err, loop.Close()); !errors.Is(err, unix.EBUSY) { // another program took the device first
			return nil, err
		}
	}
}
