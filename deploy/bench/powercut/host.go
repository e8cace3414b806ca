//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	sector   = 512
	diskSize = 24 << 20
	logSize  = 4 << 30 // sparse

	// The files of a recording.
	diskName = "disk.img" // the disk's initial content
	logName  = "writes.log"
)

// boot runs the guest and leaves a recording in folder.
func boot(ctx context.Context, kernel, old, folder string, seed uint64, records int, manner string) error {
	root := filepath.Join(folder, "root")
	for _, name := range []string{"dev", "tmp", guestOld, guestMount} {
		if err := os.MkdirAll(filepath.Join(root, name), 0o700); err != nil {
			return err
		}
	}
	if err := copyFile("/proc/self/exe", filepath.Join(root, guestProgram), 0o700); err != nil {
		return err
	}
	names, err := filepath.Glob(old)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := copyFile(name, filepath.Join(root, guestOld, filepath.Base(name)), 0o600); err != nil {
			return err
		}
	}
	disk, written, log := filepath.Join(folder, diskName), filepath.Join(folder, "written.img"), filepath.Join(folder, logName)
	if err := makeFileSystem(disk); err != nil {
		return err
	}
	if err := copyFile(disk, written, 0o600); err != nil {
		return err
	}
	if err := sparse(log, logSize); err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, kernel, "mem=256M", "quiet", "panic=-1", "con=null", "con0=null,fd:1", "console=tty0",
		"root=none", "rootfstype=hostfs", "rootflags="+root, "rw", "devtmpfs.mount=1", "init=/"+guestProgram,
		"ubd0="+written, "ubd1="+log, "--", fmt.Sprint(seed), fmt.Sprint(records), manner)
	cmd.Env = append(os.Environ(), "TMPDIR="+folder) // for the guest's memory
	// The kernel consists of several processes, which end together.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	said, err := cmd.CombinedOutput()
	result, _ := os.ReadFile(filepath.Join(root, guestResult))
	if string(result) != "done" {
		return fmt.Errorf("cannot record: %s (%v): %s", result, err, said)
	}
	if err := os.Remove(written); err != nil {
		return err
	}
	return os.RemoveAll(root)
}

// makeFileSystem creates an empty file system with the block size of a Pi's SD
// card. By default a disk this small gets smaller blocks.
func makeFileSystem(path string) error {
	if err := sparse(path, diskSize); err != nil {
		return err
	}
	said, err := exec.Command("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-J", "size=4",
		"-E", "lazy_itable_init=0,lazy_journal_init=0", path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot make file system: %w: %s", err, said)
	}
	return nil
}

func sparse(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Truncate(size)
}

func copyFile(from, to string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}
