package usbreader

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

const vhci = "/sys/devices/platform/vhci_hcd.0" // the first virtual host controller

// Attach plugs the reader into the running kernel. The kernel needs vhci_hcd, and
// the caller must be root. unplug unplugs the reader and returns Serve's result.
// It may be called more than once, and must be called even if a fault has
// unplugged the reader. A port may need a moment until it is free again.
func (r *Reader) Attach() (unplug func() error, err error) {
	ours, theirs, err := pair()
	if err != nil {
		return nil, fmt.Errorf("cannot attach reader: %w", err)
	}
	defer theirs.Close()
	if err := r.plug(); err != nil {
		ours.Close()
		return nil, fmt.Errorf("cannot attach reader: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served, result := make(chan struct{}), error(nil)
	go func() {
		defer close(served)
		result = r.serve(ctx, ours)
	}()
	unplug = func() error {
		cancel()
		<-served
		return result
	}
	if err := plugInto(vhci, theirs); err != nil {
		unplug()
		return nil, fmt.Errorf("cannot attach reader: %w", err)
	}
	return unplug, nil
}

// pair returns the two ends of a stream, one of them for the kernel.
func pair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	file, theirs := os.NewFile(uintptr(fds[0]), "reader"), os.NewFile(uintptr(fds[1]), "host")
	defer file.Close()
	if ours, err = net.FileConn(file); err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// plugInto passes one end of a stream to the virtual host controller, which keeps
// its own descriptor.
func plugInto(controller string, socket *os.File) error {
	status, err := os.ReadFile(filepath.Join(controller, "status"))
	if err != nil {
		return err
	}
	port, err := freePort(status)
	if err != nil {
		return err
	}
	attach, err := os.OpenFile(filepath.Join(controller, "attach"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer attach.Close()
	_, err = attach.WriteString(attachment(port, int(socket.Fd())))
	return err
}
