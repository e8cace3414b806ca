//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// beInit is the machine's first program. It sets the machine up, runs the task
// and turns the machine off.
func beInit() {
	code, err := work()
	if err != nil {
		fmt.Println("machine:", err)
		code = 1
	}
	if err := os.WriteFile("/bench/"+codeName, fmt.Append(nil, code), 0o644); err != nil {
		fmt.Println("machine:", err)
	}
	fmt.Println(unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)) // does not return
}

func work() (code int, err error) {
	text, err := os.ReadFile("/" + taskName)
	if err != nil {
		return 0, err
	}
	var t task
	if err := json.Unmarshal(text, &t); err != nil {
		return 0, err
	}
	if err := errors.Join(mountAll(t), loopbackUp(), loadModules("/bench/modules"), os.Chdir("/bench")); err != nil {
		return 0, fmt.Errorf("cannot set machine up: %w", err)
	}
	cmd := exec.Command(t.Path)
	cmd.Args = t.Command
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "LANG=C.UTF-8"}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		return 0, err
	}
	if code = cmd.ProcessState.ExitCode(); code < 0 {
		return 0, errors.New(cmd.ProcessState.String())
	}
	return code, nil
}

// mount is one call of mount(2).
type mount struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

// mountAll mounts the machine's folders into the root of Debian packages, which
// all machines share and which is read-only, and makes that the root.
func mountAll(t task) error {
	mounts := []mount{
		{"none", "/root", "hostfs", unix.MS_RDONLY, t.Root},
		{"/", "/root/bench", "", unix.MS_BIND, ""},
		{"proc", "/root/proc", "proc", 0, ""},
		{"sys", "/root/sys", "sysfs", 0, ""},
		{"dev", "/root/dev", "devtmpfs", 0, ""},
		{"run", "/root/run", "tmpfs", 0, "mode=0755"},
		{"tmp", "/root/tmp", "tmpfs", 0, ""},
	}
	for name, folder := range t.Folders {
		mounts = append(mounts, mount{"none", "/root/bench/" + name, "hostfs", unix.MS_RDONLY, folder})
	}
	for _, m := range mounts {
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("cannot mount %s: %w", m.target, err)
		}
	}
	if err := os.Mkdir("/root/dev/pts", 0o755); err != nil {
		return err
	}
	if err := unix.Mount("pts", "/root/dev/pts", "devpts", 0, "ptmxmode=0666"); err != nil {
		return fmt.Errorf("cannot mount /dev/pts: %w", err)
	}
	if err := os.Chdir("/root"); err != nil {
		return err
	}
	return unix.Chroot(".")
}

// loopbackUp configures 127.0.0.1.
func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open socket: %w", err)
	}
	defer unix.Close(s)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("cannot bring loopback interface up: %w", err)
	}
	return nil
}

// loadModules loads every module in folder.
func loadModules(folder string) error {
	modules, err := filepath.Glob(folder + "/*.ko")
	if err != nil {
		return err
	}
	for _, path := range modules {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("cannot load %s: %w", filepath.Base(path), err)
		}
	}
	return nil
}
