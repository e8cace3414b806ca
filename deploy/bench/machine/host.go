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
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// machine is what a machine is booted from.
type machine struct{ kernel, modules, root string }

// task is what the machine does, and then it turns itself off. Host and guest
// share a folder, the guest's /bench, in which the host leaves the task.
type task struct {
	Root    string            // of the host's, absolute
	Folders map[string]string // of the host's, absolute, by their names in the shared one; only read
	Path    string            // inside: what is run
	Command []string          // its arguments, beginning with its name
}

// Names in the folder that is shared.
const (
	initName = "init" // this program
	taskName = "task.json"
	codeName = "code" // the command's exit code; not there when the machine died
)

// runProgram runs a program of the host's inside, in the folder /bench. What it
// is linked with must be in the root.
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

// boot does a task inside and gives its exit code. What the machine's programs
// say goes to output. When ctx ends the machine is killed.
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
	for _, name := range slices.Concat([]string{"dev", "root", "modules"}, slices.Collect(maps.Keys(t.Folders))) {
		if err := os.MkdirAll(filepath.Join(shared, name), 0o755); err != nil {
			return 0, err
		}
	}
	modules, err := filepath.Glob(filepath.Join(m.modules, "*.ko"))
	if err != nil || len(modules) == 0 {
		return 0, errors.Join(fmt.Errorf("no modules in %s", m.modules), err)
	}
	for _, module := range modules {
		if err := copyFile(module, filepath.Join(shared, "modules", filepath.Base(module)), 0o644); err != nil {
			return 0, err
		}
	}
	if err := copyFile("/proc/self/exe", filepath.Join(shared, initName), 0o755); err != nil {
		return 0, err
	}

	cmd := exec.CommandContext(ctx, m.kernel, "mem=3G", "quiet", "loglevel=2", "panic=-1", "con=null", "con0=null,fd:1", "console=tty0",
		"root=none", "rootfstype=hostfs", "rootflags="+shared, "rw", "init=/"+initName,
		"softdog.soft_noboot=1") // a watchdog that fires is seen in the log
	cmd.Stdout, cmd.Stderr = &lines{to: output}, os.Stderr
	cmd.Env = append(os.Environ(), "TMPDIR="+memoryFolder(shared), "HOME="+shared) // of the kernel's own files
	// Each of the guest's processes is one of the host's, in this group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Run()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	said, readErr := os.ReadFile(filepath.Join(shared, codeName))
	if readErr != nil {
		return 0, fmt.Errorf("the machine died: %w", errors.Join(err, readErr))
	}
	_, err = fmt.Sscan(string(said), &code)
	return code, err
}

// lines passes whole lines on, so that those of several machines do not mix,
// but for what the kernel says when it is turned off.
type lines struct {
	to   io.Writer
	left string // of a line whose end has not come
}

func (l *lines) Write(b []byte) (int, error) {
	l.left += string(b)
	for {
		line, rest, whole := strings.Cut(l.left, "\n")
		if !whole {
			return len(b), nil
		}
		l.left = rest
		if line = strings.TrimSuffix(line, "\r"); line != "" && line != "reboot: System halted" {
			if _, err := io.WriteString(l.to, line+"\n"); err != nil {
				return 0, err
			}
		}
	}
}

// memoryFolder is where the machine's memory, a file that is executed, may lie:
// in memory, but where that folder lets nothing be executed, as in containers.
func memoryFolder(otherwise string) string {
	const folder = "/dev/shm"
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil || fs.Type != unix.TMPFS_MAGIC || fs.Flags&unix.ST_NOEXEC != 0 {
		return otherwise
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
