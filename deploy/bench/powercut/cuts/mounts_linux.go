package cuts

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

const insideName = "SMARTKIOSK_POWERCUT_MOUNTS"

// OwnMounts runs this program again in its own mount namespace, as root there, and
// returns its exit code. In the new process it returns inside. The mounts
// disappear when the new process ends. Signals that end a program are passed on
// to it.
func OwnMounts() (inside bool, code int, err error) {
	if os.Getenv(insideName) != "" {
		return true, 0, nil
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), insideName+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if uid, gid := os.Geteuid(), os.Getegid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}
	}
	// When this process is told to end, it must end the new one too.
	told := make(chan os.Signal, 1)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM)
	defer func() { signal.Stop(told); close(told) }()
	if err := cmd.Start(); err != nil {
		return false, 1, fmt.Errorf("cannot run in a new mount namespace: %w", err)
	}
	go func() {
		for s := range told {
			_ = cmd.Process.Signal(s)
		}
	}()
	var exit *exec.ExitError
	switch err := cmd.Wait(); {
	case errors.As(err, &exit) && exit.Exited():
		return false, exit.ExitCode(), nil
	case err != nil:
		return false, 1, fmt.Errorf("cannot run in a new mount namespace: %w", err)
	}
	return false, 0, nil
}
