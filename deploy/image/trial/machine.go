package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// patience is how long a trial waits for what should happen. An emulated machine on a slow
// host takes minutes to start.
const patience = 20 * time.Minute

// machine is QEMU's machine "virt" with the disk, a USB card reader, and a network in which
// this machine is 10.0.2.2.
type machine struct {
	dir     string // for sockets and the console's log
	process *exec.Cmd
	ended   chan struct{}
	began   time.Time
	read    int // how much of the console's log has been awaited
	shell   *shell
	reader  *cardReader
}

func (m *machine) console() string { return filepath.Join(m.dir, consoleLog) }

// start switches the machine on. extra is a disk for bundles.
func start(dir, disk, extra string) (*machine, error) {
	socket := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"shell", "card"} {
		os.Remove(socket(name))
	}
	m, err := launch(dir, "-M", "virt", "-cpu", "cortex-a53", "-smp", "2", "-m", "1024",
		"-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin",
		"-serial", "file:"+filepath.Join(dir, consoleLog),
		"-drive", "if=none,id=disk,format=raw,file="+disk, "-device", "virtio-blk-device,drive=disk",
		"-drive", "if=none,id=extra,format=raw,readonly=on,file="+extra, "-device", "virtio-blk-pci,drive=extra,serial=bundles",
		"-netdev", "user,id=net,hostfwd=tcp:"+pageAddress+"-:8080", "-device", "virtio-net-device,netdev=net",
		"-device", "qemu-xhci", "-device", "usb-ccid,id=reader",
		"-chardev", "socket,id=card,server=on,wait=off,path="+socket("card"), "-device", "ccid-card-passthru,chardev=card,bus=reader.0",
		"-device", "virtio-serial-device", "-chardev", "socket,id=shell,server=on,wait=off,path="+socket("shell"), "-device", "virtconsole,chardev=shell")
	if err != nil {
		return nil, err
	}
	connect := func(name string) (c net.Conn, err error) {
		for range 100 {
			if c, err = net.Dial("unix", socket(name)); err == nil {
				return c, nil
			}
			time.Sleep(100 * time.Millisecond)
		}
		return nil, fmt.Errorf("cannot connect to QEMU: %w", err)
	}
	c, err := connect("shell")
	if err == nil {
		m.shell = newShell(c)
		c, err = connect("card")
	}
	if err == nil {
		m.reader, err = newCardReader(c)
	}
	if err != nil {
		m.cut()
		return nil, err
	}
	return m, nil
}

// startPi switches a Raspberry Pi 3B on. Its firmware does not run in QEMU, which starts
// U-Boot with the device tree, both from folder boot, as the firmware does. The Pi has a
// network and a reader at its USB.
func startPi(dir, disk, boot string) (*machine, error) {
	return launch(dir, "-M", "raspi3b", "-kernel", filepath.Join(boot, "u-boot.bin"), "-dtb", filepath.Join(boot, "bcm2837-rpi-3-b.dtb"),
		"-serial", "null", "-serial", "file:"+filepath.Join(dir, consoleLog),
		"-drive", "if=sd,format=raw,file="+disk, "-netdev", "user,id=net", "-device", "usb-net,netdev=net", "-device", "usb-ccid")
}

const consoleLog = "console"

// launch starts QEMU.
func launch(dir string, args ...string) (*machine, error) {
	m := &machine{dir: dir, ended: make(chan struct{}), began: time.Now()}
	if err := os.WriteFile(m.console(), nil, 0o600); err != nil {
		return nil, err
	}
	m.process = exec.Command("qemu-system-aarch64", append([]string{"-display", "none", "-monitor", "none"}, args...)...)
	m.process.Stderr = os.Stderr
	m.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.process.Start(); err != nil {
		return nil, fmt.Errorf("cannot start QEMU: %w", err)
	}
	go func() {
		_ = m.process.Wait() // it is always killed
		close(m.ended)
	}()
	return m, nil
}

// cut cuts the power.
func (m *machine) cut() {
	_ = m.process.Process.Kill() // it may have ended
	<-m.ended
	if m.shell != nil {
		m.shell.conn.Close()
	}
	if m.reader != nil {
		m.reader.close()
	}
}

// await waits until the console shows a line that matches, after what was awaited before. It
// returns the match's groups, and the time that the kernel put in front of the line, which
// counts from the kernel's start; 0 if the line has none.
func (m *machine) await(pattern string) (groups []string, at time.Duration, err error) {
	re := regexp.MustCompile(`(?m)^(?:\[ *([0-9.]+)\] )?[^\n]*?(?:` + pattern + `)`)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err = poll(ctx, func() (bool, error) {
		log, err := os.ReadFile(m.console())
		if err != nil {
			return false, err
		}
		if found := re.FindSubmatchIndex(log[min(m.read, len(log)):]); found != nil {
			for _, g := range re.FindSubmatch(log[m.read:]) {
				groups = append(groups, string(g))
			}
			m.read += found[1]
			return true, nil
		}
		select {
		case <-m.ended:
			return false, errors.New("QEMU ended")
		default:
			return false, nil
		}
	})
	if err != nil {
		return nil, 0, fmt.Errorf("the console never showed %q: %w\n%s", pattern, err, m.lastLines(40))
	}
	seconds, _ := strconv.ParseFloat(groups[1], 64) // 0 without a time
	return slices.Delete(groups, 1, 2), time.Duration(seconds * float64(time.Second)), nil
}

// lastLines returns the end of the console's log.
func (m *machine) lastLines(n int) []byte {
	log, err := os.ReadFile(m.console())
	if err != nil {
		return nil
	}
	lines := bytes.SplitAfter(log, []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-n):], nil)
}

// poll calls f several times a second until it returns true or an error.
func poll(ctx context.Context, f func() (bool, error)) error {
	for {
		if done, err := f(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
