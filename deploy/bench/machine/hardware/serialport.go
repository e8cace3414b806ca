//go:build linux

package hardware

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"smartkiosk/device/display/displaysim"
)

// SerialPort is a serial port with a display on it. The port is a pseudo-terminal
// under the port's name.
type SerialPort struct {
	*Glass
	name   string
	module *displaysim.Serial

	far, near *os.File // the display's and the kiosk's end; nil while it is unplugged
}

// PlugSerial makes a port with a display module on it.
func PlugSerial(name string, module *displaysim.Serial) (*SerialPort, error) {
	glass := &Glass{
		text: module.Text, picture: module.Picture,
		faults: func() []string { return module.Faults }, changed: make(chan struct{}),
	}
	p := &SerialPort{Glass: glass, name: name, module: module}
	return p, p.Put()
}

// Put plugs the port in, as a USB adapter with the module on it.
func (p *SerialPort) Put() error {
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	connection, err := far.SyscallConn()
	if err != nil {
		return err
	}
	var number int
	var failed error
	err = connection.Control(func(fd uintptr) {
		number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		failed = errors.Join(failed, unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0))
	})
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("cannot make serial port: %w", errors.Join(err, far.Close()))
	}
	if err := os.Symlink(fmt.Sprintf("/dev/pts/%d", number), p.name); err != nil {
		return errors.Join(err, far.Close())
	}
	// The kernel hangs the terminal up when no process has it open any more.
	near, err := os.OpenFile(p.name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return errors.Join(err, far.Close())
	}
	p.far, p.near = far, near
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := far.Read(buffer)
			if err != nil {
				return // unplugged
			}
			p.do(func() { _, _ = p.module.Write(buffer[:n]) }) // never fails
		}
	}()
	return nil
}

// Pull unplugs the port, if it is plugged in. The module loses its power.
func (p *SerialPort) Pull() error {
	if p.far == nil {
		return nil
	}
	err := errors.Join(os.Remove(p.name), p.near.Close(), p.far.Close())
	p.far, p.near = nil, nil
	p.do(p.module.PowerCycle)
	return err
}
