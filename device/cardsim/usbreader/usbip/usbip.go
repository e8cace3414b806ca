// Package usbip is the wire between a USB host controller in software and a
// device that is attached to it, after the attachment: a stream on which the
// host submits and unlinks requests and the device returns them.
//
// Source: Linux, Documentation/usb/usbip_protocol.rst, with the status codes
// of include/uapi/asm-generic/errno.h. It has what control, bulk and interrupt
// transfers need; an isochronous request is an error.
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

// Status is how a request ended: 0, or a negative error number of Linux.
type Status int32

// The ends that a device can give a request.
const (
	OK       Status = 0
	Stalled  Status = -32  // EPIPE: the endpoint is halted, or the control request unknown
	Overflow Status = -75  // EOVERFLOW: more came than there was room for
	Unlinked Status = -104 // ECONNRESET: taken back by the host
)

// Request is what the host asks for: to submit a transfer, or to unlink one.
type Request struct {
	Sequence uint32 // numbers the request on its connection

	Unlink bool   // takes back a transfer; all below but Target is of a submit
	Target uint32 // sequence number of that transfer

	In       bool // from device to host
	Endpoint int  // number, 0 to 15, without the direction
	Length   int  // In: bytes that there is room for
	Setup    [8]byte
	Data     []byte // what is sent out, at most 65,536 bytes
}

// ErrMalformed says that the other side does not speak the protocol.
var ErrMalformed = errors.New("malformed USB/IP message")

// ReadRequest reads the next request. Errors: ErrMalformed; io.EOF where the
// stream ends between two requests, io.ErrUnexpectedEOF within one; the
// reader's own.
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

// unexpected is the error of a stream that ends where it must not.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Return gives the bytes that end a submitted request: data is what came in,
// or nil; out is how many bytes were sent out.
func (q Request) Return(status Status, out int, data []byte) []byte {
	b := make([]byte, headerSize, headerSize+len(data))
	binary.BigEndian.PutUint32(b[0x00:], retSubmit)
	binary.BigEndian.PutUint32(b[0x04:], q.Sequence)
	binary.BigEndian.PutUint32(b[0x14:], uint32(status))
	binary.BigEndian.PutUint32(b[0x18:], uint32(out+len(data)))
	binary.BigEndian.PutUint32(b[0x20:], 0xFFFFFFFF) // not isochronous
	return append(b, data...)
}

// ReturnUnlink gives the bytes that end an unlink: Unlinked for a transfer that
// was still under way and is returned by this alone, OK for one that had been
// returned already.
func (q Request) ReturnUnlink(status Status) []byte {
	b := make([]byte, headerSize)
	binary.BigEndian.PutUint32(b[0x00:], retUnlink)
	binary.BigEndian.PutUint32(b[0x04:], q.Sequence)
	binary.BigEndian.PutUint32(b[0x14:], uint32(status))
	return b
}
