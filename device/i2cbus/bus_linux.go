package i2cbus

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/physic"
)

// Requests of an I²C adapter's device (include/uapi/linux/i2c-dev.h, i2c.h).
const (
	i2cFuncs  = 0x0705
	i2cRDWR   = 0x0707
	i2cRead   = 0x0001 // flag of a message: from the part to the machine
	plainI2C  = 0x0001 // bit of the functions: I2C_FUNC_I2C
	maxLength = 8192   // of a message, in bytes
)

// Bus is an open /dev/i2c-N. Unlike periph's bus it can send an address alone,
// returns specific errors, and needs no driver for GPIO lines.
type Bus struct{ file *os.File }

// Open opens a bus by its device file. It returns ErrNotI2C, or the reason why
// the file cannot be opened.
func Open(device string) (*Bus, error) {
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	b := &Bus{f}
	var functions uintptr // unsigned long
	err = b.ioctl(i2cFuncs, unsafe.Pointer(&functions))
	if err == nil && functions&plainI2C == 0 {
		err = ErrNotI2C
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot use %s: %w", device, err)
	}
	return b, nil
}

// String names the device.
func (b *Bus) String() string { return b.file.Name() }

// SetSpeed returns errors.ErrUnsupported: the device tree sets the speed.
func (b *Bus) SetSpeed(physic.Frequency) error { return errors.ErrUnsupported }

// Close closes the device.
func (b *Bus) Close() error { return b.file.Close() }

// message is a struct i2c_msg.
type message struct {
	address, flags, length uint16
	data                   unsafe.Pointer
}

// transfer is a struct i2c_rdwr_ioctl_data.
type transfer struct {
	messages unsafe.Pointer
	count    uint32
}

// Tx writes w and then reads r. Either may be empty; if both are, it sends only
// the address, for writing. It returns ErrNoAnswer, ErrStuck,
// errors.ErrUnsupported if the adapter cannot send an address alone, or the
// kernel's error.
func (b *Bus) Tx(address uint16, w, r []byte) error {
	if len(w) > maxLength || len(r) > maxLength {
		return fmt.Errorf("cannot send a message longer than %d bytes", maxLength)
	}
	var messages []message
	if len(w) > 0 || len(r) == 0 {
		messages = append(messages, message{address: address, length: uint16(len(w)), data: unsafe.Pointer(unsafe.SliceData(w))})
	}
	if len(r) > 0 {
		messages = append(messages, message{address: address, flags: i2cRead, length: uint16(len(r)), data: unsafe.Pointer(unsafe.SliceData(r))})
	}
	t := transfer{unsafe.Pointer(unsafe.SliceData(messages)), uint32(len(messages))}
	err := b.ioctl(i2cRDWR, unsafe.Pointer(&t))
	runtime.KeepAlive(messages)
	switch {
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.EREMOTEIO):
		return ErrNoAnswer
	// An adapter times out when SCL stays low, and loses arbitration when SDA
	// does.
	case errors.Is(err, unix.ETIMEDOUT), errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w (%v)", ErrStuck, err)
	case errors.Is(err, unix.EOPNOTSUPP):
		return errors.ErrUnsupported
	}
	return err
}

func (b *Bus) ioctl(request uint, arg unsafe.Pointer) error {
	conn, err := b.file.SyscallConn()
	if err != nil {
		return err
	}
	var errno unix.Errno
	if err := conn.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, uintptr(request), uintptr(arg))
	}); err != nil {
		return err
	}
	if errno != 0 {
		return errno
	}
	return nil
}
