// Package usbip is the protocol between a virtual USB host controller and an
// attached device: a stream on which the host submits and unlinks requests and the
// device returns them.
//
// Source: Linux, Documentation/usb/usbip_protocol.rst, with the status codes of
// include/uapi/asm-generic/errno.h. The package supports control, bulk and
// interrupt transfers; an isochronous request is an error.
package usbip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Commands, the first word of a header.
const (
	cmdSubmit = 1
	cmdUnlink = 2
	retSubmit = 3
	retUnlink = 4
)

const (
	headerSize = 48 // bytes, of every command
	maxOut     = 1 << 16
)

// Status is the result of a request: 0, or a negative error number of Linux.
type Status int32

// The results that a device can return.
const (
	OK       Status = 0
	Stalled  Status = -32  // EPIPE: the endpoint is halted, or the control request unknown
	Overflow Status = -75  // EOVERFLOW: the data is longer than the request allows
	Unlinked Status = -104 // ECONNRESET: the host unlinked the request
)

// Request is a request of the host: it submits a transfer or unlinks one.
type Request struct {
	Sequence uint32 // the request's number on its connection

	Unlink bool   // unlinks a transfer; then only Target is set
	Target uint32 // the sequence number of that transfer

	In       bool // from device to host
	Endpoint int  // number, 0 to 15, without the direction
	Length   int  // In: the most bytes that the host accepts
	Setup    [8]byte
	Data     []byte // out: the data, at most 65,536 bytes
}

// ErrMalformed says that a message violates the protocol.
var ErrMalformed = errors.New("malformed USB/IP message")

// ReadRequest reads the next request. Errors: ErrMalformed; io.EOF if the stream
// ends between two requests, io.ErrUnexpectedEOF if it ends within one; those of
// the reader.
func ReadRequest(r io.Reader) (Request, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return Request{}, err
	}
	word := func(at int) uint32 { return binary.BigEndian.Uint32(h[at:]) }
	q := Request{Sequence: word(0x04)}
	switch word(0x00) {
	case cmdUnlink:
		q.Unlink, q.Target = true, word(0x14)
		return q, nil
	case cmdSubmit:
	default:
		return Request{}, fmt.Errorf("%w: command %d", ErrMalformed, word(0x00))
	}
	direction, endpoint, length, packets := word(0x0C), word(0x10), word(0x18), word(0x20)
	switch {
	case direction > 1:
		return Request{}, fmt.Errorf("%w: direction %d", ErrMalformed, direction)
	case endpoint > 15:
		return Request{}, fmt.Errorf("%w: endpoint %d", ErrMalformed, endpoint)
	case packets != 0 && packets != 0xFFFFFFFF:
		return Request{}, fmt.Errorf("%w: %d isochronous packets", ErrMalformed, packets)
	case direction == 0 && length > maxOut, length > 1<<31-1:
		return Request{}, fmt.Errorf("%w: transfer of %d bytes", ErrMalformed, length)
	}
	q.In, q.Endpoint, q.Setup = direction == 1, int(endpoint), [8]byte(h[0x28:])
	if q.In {
		q.Length = int(length)
		return q, nil
	}
	q.Data = make([]byte, length)
	if _, err := io.ReadFull(r, q.Data); err != nil {
		return Request{}, unexpected(err)
	}
	return q, nil
}

// unexpected turns io.EOF within a request into io.ErrUnexpectedEOF.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Return encodes the result of a submitted request: data is what the device sent,
// or nil; out is how many bytes the device received.
func (q Request) Return(status Status, out int, data []byte) []byte {
	b := make([]byte, headerSize, headerSize+len(data))
	binary.BigEndian.PutUint32(b[0x00:], retSubmit)
	binary.BigEndian.PutUint32(b[0x04:], q.Sequence)
	binary.BigEndian.PutUint32(b[0x14:], uint32(status))
	binary.BigEndian.PutUint32(b[0x18:], uint32(out+len(data)))
	binary.BigEndian.PutUint32(b[0x20:], 0xFFFFFFFF) // not isochronous
	return append(b, data...)
}

// ReturnUnlink encodes the result of an unlink: Unlinked for a transfer that was
// still waiting, which gets no other result; OK for one that was returned before.
func (q Request) ReturnUnlink(status Status) []byte {
	b := make([]byte, headerSize)
	binary.BigEndian.PutUint32(b[0x00:], retUnlink)
	binary.BigEndian.PutUint32(b[0x04:], q.Sequence)
	binary.BigEndian.PutUint32(b[0x14:], uint32(status))
	return b
}
