//go:build linux

// Package swtpm starts a software TPM 2.0 (Debian's swtpm) for a test. No program
// imports it.
package swtpm

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TPM is a software TPM that runs until the test ends.
type TPM struct {
	Path string // of its socket, which accepts commands like a TPM's device

	t     testing.TB
	state string // the folder with the state that a chip would hold
	cmd   *exec.Cmd
}

// Start starts a TPM with an empty state. Its folder is not the test's folder,
// because the path of a socket must be short.
func Start(t testing.TB) *TPM {
	t.Helper()
	folder, err := os.MkdirTemp("", "swtpm-")
	if err != nil {
		t.Fatal(err)
	}
	p := &TPM{Path: filepath.Join(folder, "tpm"), t: t, state: folder}
	t.Cleanup(func() {
		p.Stop()
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	p.Restart()
	return p
}

// Stop cuts the TPM's power. Its socket disappears, like the device of a TPM
// that was unplugged.
func (p *TPM) Stop() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.cmd = nil
	if err := os.Remove(p.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
		p.t.Error(err)
	}
}

// Restart switches the TPM off and on again. Loaded objects are lost, its
// permanent state is not.
func (p *TPM) Restart() {
	p.t.Helper()
	p.Stop()
	// tpm2-tss expects the control channel here (tcti-swtpm).
	control := p.Path + ".ctrl"
	_ = os.Remove(control)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: control, Net: "unix"})
	if err != nil {
		p.t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	f, err := l.File()
	if err := errors.Join(err, l.Close()); err != nil {
		p.t.Fatal(err)
	}
	p.cmd = exec.Command("swtpm", "socket", "--tpm2", "--tpmstate", "dir="+p.state,
		"--server", "type=unixio,path="+p.Path, "--ctrl", "type=unixio,fd=3", "--flags", "not-need-init,startup-clear")
	p.cmd.ExtraFiles = []*os.File{f}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Stdout, p.cmd.Stderr = p.t.Output(), p.t.Output()
	err = p.cmd.Start()
	if err := errors.Join(err, f.Close()); err != nil { // from here on only swtpm listens there
		p.t.Fatal(err)
	}
	if err := ready(control); err != nil {
		p.t.Fatalf("swtpm does not get ready: %v", err)
	}
}

// ready waits until the TPM answers on its control channel. It then also listens
// for commands.
func ready(control string) error {
	c, err := net.Dial("unix", control)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	const getCapability = 1 // swtpm_ioctls(3), CMD_GET_CAPABILITY
	if err := binary.Write(c, binary.BigEndian, uint32(getCapability)); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 4))
	return err
}
