//go:build linux

package hardware

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"smartkiosk/device/display/displaysim"
)

// Bus is the I²C bus 1 with the parts on it, at the far end of
// modules/i2c-parts.c.
type Bus struct {
	far   *os.File
	hertz int
	clock displaysim.Clock // of the bus; bytes take their time

	mu      sync.Mutex
	parts   map[uint16]displaysim.Target
	dead    bool
	failure error
}

// OpenBus takes the far end of a bus that runs at so many Hz.
func OpenBus(hertz int) (*Bus, error) {
	far, err := os.OpenFile("/dev/i2c-parts", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	b := &Bus{far: far, hertz: hertz, parts: map[uint16]displaysim.Target{}}
	go b.serve()
	return b, nil
}

// put puts a part on the bus.
func (b *Bus) put(address uint16, part displaysim.Target) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parts[address] = part
}

// take takes a part off the bus.
func (b *Bus) take(address uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.parts, address)
}

// Hold holds the bus down, as a part does that hangs or a wire that touches
// another; or lets it go.
func (b *Bus) Hold(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dead = down
}

// Close gives the far end back: nothing is on the bus then.
func (b *Bus) Close() error { return b.far.Close() }

// Err is what went wrong with the bus itself, nil for nothing.
func (b *Bus) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failure
}

func (b *Bus) serve() {
	buffer := make([]byte, 16384)
	for {
		n, err := b.far.Read(buffer)
		if err == nil {
			_, err = b.far.Write(b.transfer(buffer[:n]))
		}
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil {
			b.mu.Lock()
			b.failure = fmt.Errorf("cannot play I²C parts: %w", err)
			b.mu.Unlock()
			return
		}
	}
}

// read is the flag of a message that asks (I2C_M_RD of linux/i2c.h).
const read = 1

// transfer plays one transfer and gives what the adapter is to be answered.
func (b *Bus) transfer(asked []byte) (answer []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if behind := monotonic() - b.clock.Now(); behind > 0 {
		b.clock.Wait(behind)
	}
	result := func(errno syscall.Errno) []byte {
		return binary.NativeEndian.AppendUint32(nil, uint32(-int32(errno)))
	}
	if b.dead {
		return result(syscall.ETIMEDOUT)
	}
	answer = result(0)
	messages := binary.NativeEndian.Uint32(asked)
	for asked = asked[4:]; messages > 0; messages-- {
		address, flags := binary.NativeEndian.Uint16(asked), binary.NativeEndian.Uint16(asked[2:])
		length := int(binary.NativeEndian.Uint16(asked[4:]))
		asked = asked[6:]
		b.pass(11)
		part, there := b.parts[address]
		if !there {
			return result(syscall.EREMOTEIO)
		}
		if flags&read != 0 {
			for range length {
				b.pass(9)
				answer = append(answer, part.Status())
			}
			continue
		}
		part.Message(asked[:length], func() { b.pass(9) })
		asked = asked[length:]
	}
	time.Sleep(b.clock.Now() - monotonic())
	return answer
}

// pass lets bits go over the bus.
func (b *Bus) pass(bits int) {
	b.clock.Wait(time.Duration(bits) * time.Second / time.Duration(b.hertz))
}
