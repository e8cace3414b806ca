package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	pcscdSocket = "/run/pcscd/pcscd.comm"
	pcscdStart  = 5 * time.Second // limit until the virtual reader is there
)

// StartPCSC makes sure that a pcscd with a virtual reader runs. It prefers the
// machine's own pcscd, which systemd starts when a program connects to its socket.
// Otherwise it starts one, which stop ends; that needs root. Both need the packages
// pcscd and vsmartcard-vpcd.
func StartPCSC(ctx context.Context) (stop func(), err error) {
	stop = func() {}
	if c, err := net.Dial("unix", pcscdSocket); err == nil {
		_ = c.Close()
		return stop, awaitReader(ctx, nil)
	}
	var said bytes.Buffer
	pcscd := exec.Command("pcscd", "--foreground")
	pcscd.Stdout, pcscd.Stderr = &said, &said
	if err := pcscd.Start(); err != nil {
		return stop, fmt.Errorf("cannot start pcscd: %w (apt-get install pcscd vsmartcard-vpcd)", err)
	}
	ended := make(chan struct{})
	go func() { _ = pcscd.Wait(); close(ended) }()
	stop = func() {
		_ = pcscd.Process.Signal(syscall.SIGTERM)
		<-ended
	}
	if err := awaitReader(ctx, ended); err != nil {
		stop()
		if os.Geteuid() != 0 {
			err = errors.Join(err, errors.New("no pcscd is running, and the demo must be root to start one"))
		}
		return func() {}, fmt.Errorf("%w\n%s", err, bytes.TrimSpace(said.Bytes()))
	}
	return stop, nil
}

// awaitReader waits until the virtual reader accepts a card or pcscd has ended.
func awaitReader(ctx context.Context, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, pcscdStart)
	defer cancel()
	for {
		c, err := net.Dial("tcp", vpcdAddress)
		if err == nil {
			return c.Close()
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ended:
			return errors.New("cannot use pcscd: it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("cannot reach the virtual reader: %w; is vsmartcard-vpcd installed?", err)
		}
	}
}
