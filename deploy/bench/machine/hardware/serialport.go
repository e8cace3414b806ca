//go:build linux

package hardware

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"smartkiosk/device/display/displaysim"
)

// SerialPort is a port with a display at it: a pseudo-terminal under the
// port's name.
type SerialPort struct {
	*Glass
	name   string
	module *displaysim.Serial

	far, near *os.File // its ends, nil while it is pulled
}

// PlugSerial makes a port with a module at it.
func PlugSerial(name string, module *displaysim.Serial) (*SerialPort, error) {
	glass := &Glass{
		text: module.Text, picture: module.Picture,
		faults: func() []string { return module.Faults }, changed: make(chan struct{}),
	}
	p := &SerialPort{Glass: glass, name: name, module: module}
	return p, p.Put()
}

// Put plugs the port in, as a USB adapter is that has the module behind it.
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
	// While somebody has it open it is not hung up.
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
				return // pulled
			}
			p.do(func() { _, _ = p.module.Write(buffer[:n]) }) // takes all
		}
	}()
	return nil
}

// Pull pulls it out, if it is in, with the module's power.
func (p *SerialPort) Pull() error {
	if p.far == nil {
		return nil
	}
	err := errors.Join(os.Remove(p.name), p.near.Close(), p.far.Close())
	p.far, p.near = nil, nil
	p.do(p.module.PowerCycle)
	return err
}
