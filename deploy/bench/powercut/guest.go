//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"smartkiosk/deploy/bench/powercut/cuts"
)

// The files in the guest's root, which is a folder of the host.
const (
	guestProgram = "init"
	guestOld     = "old"    // outboxes of older formats
	guestResult  = "result" // "done", or why not
	guestMount   = "mnt"
)

// The ways in which the guest's writer can work.
const (
	withSync    = "sync"
	withoutSync = "nosync"
)

// guest is the only program in its virtual machine. It writes to the disk with
// the log and turns the machine off.
func guest(args []string) {
	result := "done"
	if err := guestWork(args); err != nil {
		result = err.Error()
	}
	if err := os.WriteFile("/"+guestResult, []byte(result), 0o600); err != nil {
		fmt.Println(err)
	}
	fmt.Println(unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)) // does not return
}

// guestWork runs the writer. Its arguments are the seed, the number of records
// and the manner.
func guestWork(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("cannot work with arguments %q", args)
	}
	seed, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return err
	}
	records, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	old, err := cuts.ReadOld("/"+guestOld+"/*", "/tmp")
	if err != nil {
		return err
	}
	disk, err := logWrites("/dev/ubda", diskSize/sector, "/dev/ubdb")
	if err != nil {
		return err
	}
	if err := unix.Mount("/dev/dm-0", "/"+guestMount, "ext4", 0, ""); err != nil {
		return fmt.Errorf("cannot mount disk: %w", err)
	}
	if args[2] == withoutSync {
		if err := cuts.Deafen(); err != nil {
			return err
		}
	}
	w := cuts.Writer{
		Folder: "/" + guestMount,
		Seed:   seed,
		Old:    old,
		Keys:   openKeys,
		Mark:   func(m cuts.Mark) error { return disk.mark(m.String()) },
	}
	err = w.Write(records)
	if err := unix.Unmount("/"+guestMount, 0); err != nil {
		return fmt.Errorf("cannot unmount disk: %w", err)
	}
	return errors.Join(err, disk.remove())
}
