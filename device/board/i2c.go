package board

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"
	"periph.io/x/conn/v3/physic"
)

// OpenI2C opens a bus by its device file, or by a name in periph's register,
// which comes first. Errors of Tx are ErrNoAnswer where nothing answers at the
// address.
func OpenI2C(bus string) (i2c.BusCloser, error) {
	if slices.ContainsFunc(i2creg.All(), func(r *i2creg.Ref) bool { return r.Name == bus }) {
		return i2creg.Open(bus)
	}
	f, err := os.OpenFile(bus, os.O_RDWR, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("cannot open I²C bus: %w: on a Pi, config.txt must have dtparam=i2c_arm=on and the module i2c-dev must be loaded", err)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("cannot open I²C bus: %w: is this program's user in the group i2c?", err)
	case err != nil:
		return nil, fmt.Errorf("cannot open I²C bus: %w", err)
	}
	return &i2cDev{f}, nil
}

// ErrNoAnswer says that no part acknowledged its address.
var ErrNoAnswer = errors.New("nothing answers at this address")

// i2cDev is a bus by Linux's device file (Documentation/i2c/dev-interface.rst).
// periph's own has its errors without their numbers, and comes with a driver
// for lines that we do not want.
type i2cDev struct{ *os.File }

// The request and its structures (include/uapi/linux/i2c-dev.h and i2c.h).
const (
	i2cRDWR  = 0x0707
	i2cMRead = 0x0001
)

type i2cMessage struct {
	address, flags, length uint16
	data                   *byte
}

type i2cMessages struct {
	first *i2cMessage
	count uint32
}

// Tx implements i2c.Bus.
func (d *i2cDev) Tx(address uint16, w, r []byte) error {
	var messages []i2cMessage
	for _, m := range []struct {
		flags uint16
		data  []byte
	}{{0, w}, {i2cMRead, r}} {
		switch {
		case len(m.data) > 8192:
			return fmt.Errorf("a message of %d bytes is longer than Linux takes", len(m.data)) // drivers/i2c/i2c-dev.c
		case len(m.data) > 0:
			messages = append(messages, i2cMessage{address, m.flags, uint16(len(m.data)), &m.data[0]})
		}
	}
	if len(messages) == 0 {
		return nil
	}
	request := i2cMessages{&messages[0], uint32(len(messages))}
	conn, err := d.SyscallConn()
	if err != nil {
		return err
	}
	var no unix.Errno
	err = conn.Control(func(fd uintptr) {
		_, _, no = unix.Syscall(unix.SYS_IOCTL, fd, i2cRDWR, uintptr(unsafe.Pointer(&request)))
	})
	runtime.KeepAlive(messages)
	switch {
	case err != nil:
		return err
	case no == unix.ENXIO || no == unix.EREMOTEIO: // Documentation/i2c/fault-codes.rst
		return ErrNoAnswer
	case no != 0:
		return no
	}
	return nil
}

// SetSpeed cannot: the device tree says how fast a bus is.
func (d *i2cDev) SetSpeed(physic.Frequency) error {
	return errors.New("cannot set the speed of an I²C bus of Linux: config.txt does (dtparam=i2c_arm_baudrate)")
}

// String is the device file.
func (d *i2cDev) String() string { return d.Name() }
