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

// Life of a ref, and the maximum number of refs. A page takes one for each PIN that
// the holder types.
const (
	refLife = 2 * time.Minute
	maxRefs = 10
)

// scrambleSize is the length of a ref's data in bytes. Each byte of a PIN uses two.
const scrambleSize = 16

// headerSize is the length of a command's header and Lc.
const headerSize = 5

// packetMark begins a PIN packet.
var packetMark = []byte{0xFF, 0xFF, 0x01, 0x04}

// packet is a decoded PIN packet. Its slices alias the input.
type packet struct {
	ref            uint32
	cmd, pin, rest []byte // pin is scrambled; cmd is the header, Lc and data before the PIN
}

var (
	errPacket     = errors.New("malformed PIN packet")
	errUnknownRef = errors.New("the ref in the PIN packet is unknown or was used before")
)

// parsePacket decodes a PIN packet. It returns errPacket unless cmd, PIN and rest
// are exactly one command: a header, Lc, and Lc bytes of data.
func parsePacket(b []byte) (packet, error) {
	const fixed = 4 + 4 + 1 + 1
	if len(b) < fixed || !bytes.HasPrefix(b, packetMark) {
		return packet{}, fmt.Errorf("%w: %d bytes", errPacket, len(b))
	}
	cmdLength, pinLength, body := int(b[8]), int(b[9]), b[fixed:]
	switch {
	case cmdLength < headerSize:
		return packet{}, fmt.Errorf("%w: command of %d bytes", errPacket, cmdLength)
	case pinLength < 1 || 2*pinLength > scrambleSize:
		return packet{}, fmt.Errorf("%w: PIN of %d bytes", errPacket, pinLength)
	case len(body) < cmdLength+pinLength || len(body)-headerSize != int(body[headerSize-1]):
		return packet{}, fmt.Errorf("%w: %d bytes for its command", errPacket, len(body))
	}
	return packet{
		ref:  binary.BigEndian.Uint32(b[4:]),
		cmd:  body[:cmdLength],
		pin:  body[cmdLength : cmdLength+pinLength],
		rest: body[cmdLength+pinLength:],
	}, nil
}

// unscramble returns the command with the PIN in the clear, in a new buffer that
// the caller wipes.
func (p packet) unscramble(data *[scrambleSize]byte) []byte {
	command := make([]byte, 0, len(p.cmd)+len(p.pin)+len(p.rest))
	command = append(command, p.cmd...)
	for i, b := range p.pin {
		command = append(command, b^data[i]^data[i+len(p.pin)])
	}
	return append(command, p.rest...)
}

// command returns the header of the packet's command, for permit.
func (p packet) command() apdu.Command {
	return apdu.Command{CLA: p.cmd[0], INS: p.cmd[1], P1: p.cmd[2], P2: p.cmd[3]}
}

// refs are the refs that pages have received. A ref is wiped when it is used, and
// after refLife at the latest.
type refs struct {
	mu   sync.Mutex
	held []*ref // oldest first
}

type ref struct {
	number uint32
	data   [scrambleSize]byte
	expiry *time.Timer
}

// issue returns a new ref and its random data. The number has 31 bits, because
// JavaScript's bit operations are signed. If there are too many refs, the oldest
// one is wiped.
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

// unscramble returns the command of a packet in the clear, in a new buffer that
// the caller wipes. It wipes the ref, so that a recorded packet cannot be sent
// again.
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
