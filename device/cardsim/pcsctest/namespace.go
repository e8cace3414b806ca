//go:build linux

// Package pcsctest runs a private PC/SC service for tests: the real pcscd with
// Debian's virtual reader (packages pcscd and vsmartcard-vpcd), in its own mount
// and network namespaces. It needs root or unprivileged user namespaces.
//
// A test package calls Main from its TestMain, or Run when TestMain has more to
// do, and Start in each test.
package pcsctest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// stage is the environment variable with the state of the process: outside the
// namespaces (not set), in new namespaces that are not yet set up, or in
// namespaces that are ready. Programs that the tests start inherit the last.
const (
	stage    = "PCSCTEST_STAGE"
	entering = "entering"
	ready    = "ready"
)

// Main runs the tests like Run and exits with their status.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run starts the test binary again in private namespaces, runs the tests there
// and returns their status. It passes on SIGINT, SIGTERM and SIGQUIT; "go test"
// ends a test that hangs with SIGQUIT.
func Run(m *testing.M) (status int) {
	var err error
	switch os.Getenv(stage) {
	case "":
		status, err = isolate()
	case entering:
		if err = setUp(); err == nil {
			status = m.Run()
		}
	default:
		status = m.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pcsctest:", err)
		return 1
	}
	return status
}

func isolate() (status int, err error) {
	// Pdeathsig applies to the thread that starts the process.
	runtime.LockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), stage+"="+entering)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("cannot make private namespaces (needs root or unprivileged user namespaces): %w", err)
	}
	go func() {
		for s := range signals {
			cmd.Process.Signal(s)
		}
	}()
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// setUp prepares the new namespaces for pcscd: a separate /run, a loopback
// interface that is up, and no driver for USB readers, so that pcscd does not
// use the readers of this machine.
func setUp() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make mounts private: %w", err)
	}
	usb, err := filepath.Glob("/usr/lib/pcsc/drivers/*.bundle")
	if err != nil {
		return err
	}
	for _, dir := range append(usb, "/run") {
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
			return fmt.Errorf("cannot cover %s: %w", dir, err)
		}
	}
	if err := os.Mkdir("/run/pcscd", 0o755); err != nil {
		return err
	}
	if err := raiseLoopback(); err != nil {
		return fmt.Errorf("cannot bring the loopback interface up: %w", err)
	}
	return os.Setenv(stage, ready)
}

func raiseLoopback() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo)
}
