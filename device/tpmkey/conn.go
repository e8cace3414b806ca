package tpmkey

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"time"

	"github.com/google/go-tpm/tpm2"
	"golang.org/x/sys/unix"
)

// DefaultDevice is the device of Linux' TPM resource manager.
const DefaultDevice = "/dev/tpmrm0"

// conn is a connection to a TPM: one command, one response.
type conn struct{ io.ReadWriteCloser }

// dial opens a TPM's device, or the socket of a software TPM.
func dial(device string) (conn, error) {
	info, err := os.Stat(device)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return conn{}, errors.New("the device does not exist: is the TPM enabled in firmware or device tree?")
	case err != nil:
		return conn{}, err
	case info.Mode()&os.ModeSocket != 0:
		c, err := net.Dial("unix", device)
		return conn{c}, err
	case info.Mode()&os.ModeCharDevice == 0:
		return conn{}, errors.New("the file is not a device")
	}
	// os.Open would register the file with the poller and make it
	// non-blocking; the driver then returns from reads before it has a response.
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.EACCES):
		return conn{}, fmt.Errorf("%w: is this user in the device's group (tss)?", err)
	case errors.Is(err, unix.EBUSY):
		return conn{}, fmt.Errorf("another program uses the device: use %s", DefaultDevice)
	case err != nil:
		return conn{}, err
	}
	return conn{os.NewFile(uintptr(fd), device)}, nil
}

// How long a busy TPM is asked again, and the pause before each retry.
const (
	patience   = 5 * time.Second
	firstPause = 5 * time.Millisecond
	maxPause   = 250 * time.Millisecond
)

// Send implements go-tpm's transport.TPM. It repeats the command while the TPM
// is busy (TPM 2.0 Library part 2 §6.6: RETRY, YIELDED, TESTING).
func (c conn) Send(command []byte) (response []byte, err error) {
	waited := time.Duration(0)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		if response, err = c.exchange(command); err != nil {
			return nil, err
		}
		switch code := tpm2.TPMRC(binary.BigEndian.Uint32(response[6:])); code {
		case tpm2.TPMRCRetry, tpm2.TPMRCYielded, tpm2.TPMRCTesting:
		default:
			return response, nil
		}
		if waited >= patience {
			return response, nil
		}
		time.Sleep(pause)
		waited += pause
	}
}

const (
	headerSize  = 10 // tag 2 bytes, size 4, code 4
	maxResponse = 4096
)

func (c conn) exchange(command []byte) ([]byte, error) {
	if _, err := c.Write(command); err != nil {
		return nil, err
	}
	response := make([]byte, maxResponse) // a device returns the whole response at once
	n, err := io.ReadAtLeast(c, response, headerSize)
	if err != nil {
		return nil, fmt.Errorf("no response: %w", err)
	}
	size := binary.BigEndian.Uint32(response[2:])
	if size < headerSize || size > maxResponse || n > int(size) {
		return nil, fmt.Errorf("the response has %d bytes but states %d", n, size)
	}
	if _, err := io.ReadFull(c, response[n:size]); err != nil {
		return nil, fmt.Errorf("no response: %w", err)
	}
	return response[:size], nil
}
