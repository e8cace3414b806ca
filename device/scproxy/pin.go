package scproxy

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"smartkiosk/device/apdu"
)

// How long a ref is good, and how many there are at a time; a page takes one
// for each PIN that is typed.
const (
	refLife = 2 * time.Minute
	maxRefs = 10
)

// scrambleSize is the bytes of a ref's data, which are used in pairs.
const scrambleSize = 16

// packetMark begins a PIN packet.
var packetMark = []byte{0xFF, 0xFF, 0x01, 0x04}

// packet is a PIN packet, parted. Its slices alias what it was read from.
type packet struct {
	ref            uint32
	cmd, pin, rest []byte // pin is scrambled
}

var (
	errPacket     = errors.New("malformed PIN packet")
	errUnknownRef = errors.New("unknown ref in PIN packet, or one used before")
)

// parsePacket parts a PIN packet. Beyond its form it checks that the command
// in it is one header with Lc, and that PIN and rest are the Lc bytes that it
// announces, so that nothing but one command comes out.
func parsePacket(b []byte) (packet, error) {
	const fixed = 4 + 4 + 1 + 1
	if len(b) < fixed || !bytes.HasPrefix(b, packetMark) {
		return packet{}, fmt.Errorf("%w: %d bytes", errPacket, len(b))
	}
	cmdLength, pinLength, body := int(b[8]), int(b[9]), b[fixed:]
	switch {
	case cmdLength != 5:
		return packet{}, fmt.Errorf("%w: command of %d bytes", errPacket, cmdLength)
	case pinLength < 1 || 2*pinLength > scrambleSize:
		return packet{}, fmt.Errorf("%w: PIN of %d bytes", errPacket, pinLength)
	case len(body) < cmdLength+pinLength || len(body)-cmdLength != int(body[4]):
		return packet{}, fmt.Errorf("%w: %d bytes for its command", errPacket, len(body))
	}
	return packet{
		ref:  binary.BigEndian.Uint32(b[4:]),
		cmd:  body[:cmdLength],
		pin:  body[cmdLength : cmdLength+pinLength],
		rest: body[cmdLength+pinLength:],
	}, nil
}

// unscramble gives the command with the PIN in the clear, in a buffer of its
// own that the caller wipes.
func (p packet) unscramble(data *[scrambleSize]byte) []byte {
	command := make([]byte, 0, len(p.cmd)+len(p.pin)+len(p.rest))
	command = append(command, p.cmd...)
	for i, b := range p.pin {
		command = append(command, b^data[i]^data[i+len(p.pin)])
	}
	return append(command, p.rest...)
}

// command gives the command that a packet stands for, without the PIN in it,
// for permit to look at.
func (p packet) command() apdu.Command {
	return apdu.Command{CLA: p.cmd[0], INS: p.cmd[1], P1: p.cmd[2], P2: p.cmd[3]}
}

// refs are the scrambling data given out. Each is wiped when the one PIN that
// it is for has come, and after refLife at the latest.
type refs struct {
	mu   sync.Mutex
	held []*ref // oldest first
}

type ref struct {
	number uint32
	data   [scrambleSize]byte
	expiry *time.Timer
}

// issue gives a new ref: a number of 31 bits, as what pages calculate with has
// a sign, and random data.
func (r *refs) issue() (number uint32, data [scrambleSize]byte) {
	var random [4]byte
	rand.Read(random[:])
	made := &ref{number: binary.BigEndian.Uint32(random[:]) & 0x7FFFFFFF}
	rand.Read(made.data[:])
	made.expiry = time.AfterFunc(refLife, func() { r.drop(made) })
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.held) == maxRefs {
		r.wipe(0)
	}
	r.held = append(r.held, made)
	return made.number, made.data
}

// unscramble gives the command of a packet as unscramble of packet does. The
// ref is of no use then, so that a packet that was seen on its way cannot be
// sent once more.
func (r *refs) unscramble(p packet) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, h := range r.held {
		if h.number == p.ref {
			defer r.wipe(i)
			return p.unscramble(&h.data), nil
		}
	}
	return nil, errUnknownRef
}

func (r *refs) drop(gone *ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, h := range r.held {
		if h == gone {
			r.wipe(i)
			return
		}
	}
}

func (r *refs) dropAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.held) > 0 {
		r.wipe(0)
	}
}

func (r *refs) wipe(i int) {
	r.held[i].expiry.Stop()
	clear(r.held[i].data[:])
	r.held = append(r.held[:i], r.held[i+1:]...)
}
