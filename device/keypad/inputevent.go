package keypad

import (
	"encoding/binary"
	"math/bits"
)

// Types and codes of Linux's input events (include/uapi/linux/
// input-event-codes.h; Documentation/input/event-codes.rst).
const (
	evSyn      = 0x00
	evKey      = 0x01
	evMsc      = 0x04
	mscScan    = 0x04 // the HID usage of the key that follows
	synReport  = 0    // the events before it belong together
	synDropped = 3    // the events before it are incomplete: the reader was too slow

	keyUp, keyDown = 0, 1 // values of evKey; 2 is a repeat
)

// inputEvent is a struct input_event without its time.
type inputEvent struct {
	kind, code uint16
	value      int32
}

// eventSize is the size of this program's struct input_event in bytes: two
// machine words of time, then type, code and value (include/uapi/linux/input.h):
// 24 bytes in a 64-bit program, 16 in a 32-bit one, also when the kernel has 64
// bits.
const eventSize = 2*bits.UintSize/8 + 8

// decodeEvents decodes whole events of size bytes in the machine's byte order. It
// returns the bytes of an incomplete event as rest. It rejects no bytes; the
// caller must skip events of unknown type or code. It allocates all events at
// once, so that a caller that clears them leaves nothing of a PIN in memory.
func decodeEvents(buf []byte, size int) (events []inputEvent, rest []byte) {
	events = make([]inputEvent, 0, len(buf)/size)
	for len(buf) >= size {
		e := buf[size-8 : size]
		events = append(events, inputEvent{
			kind:  binary.NativeEndian.Uint16(e),
			code:  binary.NativeEndian.Uint16(e[2:]),
			value: int32(binary.NativeEndian.Uint32(e[4:])),
		})
		buf = buf[size:]
	}
	return events, buf
}

// keyset is a set of key codes as Linux returns it: bit code%8 of byte code/8;
// KEY_MAX is 0x2ff. Linux uses words of the machine's size. On a little-endian
// machine, which every supported machine is, the bytes are in this order.
type keyset [0x300 / 8]byte

func (s *keyset) has(code uint16) bool {
	return int(code) < len(s)*8 && s[code/8]&(1<<(code%8)) != 0
}

func (s *keyset) add(codes ...uint16) {
	for _, code := range codes {
		s[code/8] |= 1 << (code % 8)
	}
}
