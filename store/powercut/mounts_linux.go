package powercut

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

const insideName = "SMARTKIOSK_POWERCUT_MOUNTS"

// OwnMounts runs this program once more with mounts of its own, which go when
// it ends, and gives its exit code; in that one it gives inside. Who is not
// root is, there.
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
	var exit *exec.ExitError
	switch err := cmd.Run(); {
	case errors.As(err, &exit) && exit.Exited():
		return false, exit.ExitCode(), nil
	case err != nil:
		return false, 1, fmt.Errorf("cannot run with mounts of its own: %w", err)
	}
	return false, 0, nil
}
