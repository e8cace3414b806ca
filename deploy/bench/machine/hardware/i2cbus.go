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

// Bus is the I²C bus 1 with the parts on it, at the outer end of
// modules/i2c-parts.c.
type Bus struct {
	far   *os.File
	hertz int
	clock displaysim.Clock // advances with each byte on the bus

	mu      sync.Mutex
	parts   map[uint16]displaysim.Target
	shorted bool
	failure error
}

// OpenBus opens the outer end of the bus, which transfers at a rate in Hz.
func OpenBus(hertz int) (*Bus, error) {
	far, err := os.OpenFile("/dev/i2c-parts", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	b := &Bus{far: far, hertz: hertz, parts: map[uint16]displaysim.Target{}}
	go b.serve()
	return b, nil
}

// add puts a part on the bus.
func (b *Bus) add(address uint16, part displaysim.Target) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parts[address] = part
}

// remove takes a part off the bus.
func (b *Bus) remove(address uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.parts, address)
}

// Short shorts the bus, as a part that hangs does, or removes the short circuit.
func (b *Bus) Short(shorted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shorted = shorted
}

// Close closes the outer end. Then no part answers.
func (b *Bus) Close() error { return b.far.Close() }

// Err returns what went wrong with the simulation of the bus.
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
			b.failure = fmt.Errorf("cannot simulate I²C parts: %w", err)
			b.mu.Unlock()
			return
		}
	}
}

// flagRead marks a message that reads (I2C_M_RD of linux/i2c.h).
const flagRead = 1

// transfer simulates one transfer and returns the answer for the adapter. It
// takes the time that the transfer takes on a real bus.
func (b *Bus) transfer(request []byte) (answer []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if behind := monotonic() - b.clock.Now(); behind > 0 {
		b.clock.Wait(behind)
	}
	result := func(errno syscall.Errno) []byte {
		return binary.NativeEndian.AppendUint32(nil, uint32(-int32(errno)))
	}
	if b.shorted {
		return result(syscall.ETIMEDOUT)
	}
	answer = result(0)
	messages := binary.NativeEndian.Uint32(request)
	for request = request[4:]; messages > 0; messages-- {
		address, flags := binary.NativeEndian.Uint16(request), binary.NativeEndian.Uint16(request[2:])
		length := int(binary.NativeEndian.Uint16(request[4:]))
		request = request[6:]
		b.pass(11)
		part, present := b.parts[address]
		if !present {
			return result(syscall.EREMOTEIO)
		}
		if flags&flagRead != 0 {
			for range length {
				b.pass(9)
				answer = append(answer, part.Status())
			}
			continue
		}
		part.Message(request[:length], func() { b.pass(9) })
		request = request[length:]
	}
	time.Sleep(b.clock.Now() - monotonic())
	return answer
}

// pass advances the clock by the time of some bits.
func (b *Bus) pass(bits int) {
	b.clock.Wait(time.Duration(bits) * time.Second / time.Duration(b.hertz))
}
