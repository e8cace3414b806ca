//go:build linux

// Package pcsctest gives tests a PC/SC service of their own: the real pcscd
// with Debian's virtual reader (packages pcscd and vsmartcard-vpcd), in mount
// and network namespaces that nothing else on the machine sees. It needs
// root, or a system that lets everybody make user namespaces.
//
// A test package calls Main from its TestMain, or Run when something else has
// the last word there, and Start in each test.
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

// stage tells a process where it is: outside (not set), in new namespaces
// that are still to be furnished, or in furnished ones, as programs that the
// tests start are.
const (
	stage     = "PCSCTEST_STAGE"
	entering  = "entering"
	furnished = "furnished"
)

// Main runs the tests as Run does and exits with their status.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run runs the tests in private namespaces, for which it starts the test
// binary anew, and gives their status. On SIGINT, SIGTERM and SIGQUIT, which
// is how "go test" ends a hung test, the tests get the signal.
func Run(m *testing.M) (status int) {
	var err error
	switch os.Getenv(stage) {
	case "":
		status, err = isolate()
	case entering:
		if err = furnish(); err == nil {
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
	// Pdeathsig is about the thread that starts the process.
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

// furnish makes the new namespaces fit for pcscd: a /run of its own, a
// loopback interface that is up, and no driver for USB readers, so that a
// reader on this machine is left to whom it belongs.
func furnish() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot part mounts from the system's: %w", err)
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
		return fmt.Errorf("cannot raise the loopback interface: %w", err)
	}
	return os.Setenv(stage, furnished)
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
