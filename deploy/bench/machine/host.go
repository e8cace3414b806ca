//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// machine says what a machine is booted from, and which time passes in it.
type machine struct {
	kernel, modules, root string
	processor             int // number of the host's processor that it runs on

	// realTime makes time inside pass as it does on the host. Without it time
	// is virtual: it passes only while every program inside waits, so that no
	// verdict depends on the speed or the load of the host.
	realTime bool
	seed     uint64    // of the random numbers in virtual time
	begins   time.Time // the date of the machine when it boots, in virtual time
}

// task says what the machine does before it turns itself off. Host and guest
// share a folder, which is /bench in the guest. The host leaves the task there.
type task struct {
	Root    string            // absolute path on the host
	Folders map[string]string // name in the shared folder → absolute path on the host; mounted read-only
	Path    string            // of the program, in the guest
	Command []string          // its arguments, of which the first is its name
}

// Names in the shared folder.
const (
	initName = "init" // this program
	taskName = "task.json"
	codeName = "code" // exit code of the task; missing when the machine died
)

// runProgram runs a program of the host in the machine, in the folder /bench.
// The root must have the libraries that it is linked with.
func (m machine) runProgram(ctx context.Context, program string, args []string) (code int, err error) {
	shared, err := os.MkdirTemp("", "machine-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(shared)
	if err := copyFile(program, filepath.Join(shared, "program"), 0o755); err != nil {
		return 0, err
	}
	return m.boot(ctx, shared, task{Path: "/bench/program", Command: append([]string{program}, args...)}, os.Stdout)
}

// boot boots a machine, runs a task in it and returns the task's exit code. The
// output of the programs in the machine goes to output. When ctx ends, boot
// kills the machine.
func (m machine) boot(ctx context.Context, shared string, t task, output io.Writer) (code int, err error) {
	if t.Root, err = filepath.Abs(m.root); err != nil {
		return 0, err
	}
	text, err := json.Marshal(t)
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(filepath.Join(shared, taskName), text, 0o644); err != nil {
		return 0, err
	}
	mountPoints := slices.Concat([]string{"dev", "root", "modules"}, slices.Sorted(maps.Keys(t.Folders)))
	for _, name := range mountPoints {
		if err := os.MkdirAll(filepath.Join(shared, name), 0o755); err != nil {
			return 0, err
		}
	}
	modules, err := filepath.Glob(filepath.Join(m.modules, "*.ko"))
	if err != nil || len(modules) == 0 {
		return 0, errors.Join(fmt.Errorf("%s has no modules", m.modules), err)
	}
	for _, module := range modules {
		if err := copyFile(module, filepath.Join(shared, "modules", filepath.Base(module)), 0o644); err != nil {
			return 0, err
		}
	}
	if err := copyFile("/proc/self/exe", filepath.Join(shared, initName), 0o755); err != nil {
		return 0, err
	}

	args := []string{"mem=3G", "quiet", "loglevel=2", "panic=-1", "con=null", "con0=null,fd:1", "console=tty0",
		"root=none", "rootfstype=hostfs", "rootflags=/proc/self/cwd", "rw", "init=/" + initName,
		"softdog.soft_noboot=1"} // the watchdog logs that it fired, and does not restart the machine
	if !m.realTime {
		args = append(args, "time-travel=inf-cpu", fmt.Sprintf("time-travel-start=%d", m.begins.UnixNano()), fmt.Sprintf("seed=%d", m.seed))
	}
	kernel, err := filepath.Abs(m.kernel)
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, kernel, args...)
	// The root is the working folder and not a path in the arguments, because the
	// kernel mixes its arguments into its random numbers.
	cmd.Dir = shared
	cmd.Stdout, cmd.Stderr = &lines{to: output}, os.Stderr
	cmd.Env = append(os.Environ(), "TMPDIR="+memoryFolder(shared), "HOME="+shared) // for the kernel's own files
	// Each process of the guest is a process of the host, in this group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	if err := m.start(cmd); err != nil {
		return 0, fmt.Errorf("cannot start %s: %w", m.kernel, err)
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	exitCode, readErr := os.ReadFile(filepath.Join(shared, codeName))
	if readErr != nil {
		return 0, fmt.Errorf("the machine died: %w", errors.Join(err, readErr))
	}
	_, err = fmt.Sscan(string(exitCode), &code)
	return code, err
}

// start starts a machine on one processor of the host. A machine switches between
// its processes at each call into its kernel, and two processors would make each
// switch slower.
func (m machine) start(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	for cpu, left := 0, m.processor%all.Count(); ; cpu++ {
		if !all.IsSet(cpu) {
			continue
		}
		if left == 0 {
			one.Set(cpu)
			break
		}
		left--
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	return errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &all))
}

// lines passes on whole lines, so that the lines of several machines do not
// mix. It drops empty lines and the kernel's last message.
type lines struct {
	to      io.Writer
	pending string // the start of a line that has not ended
}

func (l *lines) Write(b []byte) (int, error) {
	l.pending += string(b)
	for {
		line, rest, ended := strings.Cut(l.pending, "\n")
		if !ended {
			return len(b), nil
		}
		l.pending = rest
		if line = strings.TrimSuffix(line, "\r"); line != "" && line != "reboot: System halted" {
			if _, err := io.WriteString(l.to, line+"\n"); err != nil {
				return 0, err
			}
		}
	}
}

// memoryFolder returns the folder for the file that is the machine's memory.
// Code in that file is executed. The folder is /dev/shm, or fallback where
// /dev/shm is mounted noexec, as it often is in containers.
func memoryFolder(fallback string) string {
	const folder = "/dev/shm"
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil || fs.Type != unix.TMPFS_MAGIC || fs.Flags&unix.ST_NOEXEC != 0 {
		return fallback
	}
	return folder
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
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
