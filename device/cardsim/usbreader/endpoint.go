package usbreader

import (
	"errors"

	"smartkiosk/device/cardsim/usbreader/usbip"
)

// inlet is an endpoint on which the device sends: requests of the host wait for
// something to send, and what is to be sent waits for a request.
type inlet struct {
	waiting []usbip.Request
	ready   [][]byte // transfers, each of which ends with a short packet
}

// maxQueued is how many requests, or transfers, may wait. No driver comes near
// it.
const maxQueued = 64

var errQueue = errors.New("the host asks for more and more, or takes nothing")

func (e *inlet) wait(q usbip.Request) error {
	if e.waiting = append(e.waiting, q); len(e.waiting) > maxQueued {
		return errQueue
	}
	return nil
}

func (e *inlet) send(b []byte) error {
	if e.ready = append(e.ready, b); len(e.ready) > maxQueued {
		return errQueue
	}
	return nil
}

// unlink takes a request back, and tells whether it still waited.
func (e *inlet) unlink(sequence uint32) bool {
	for i, q := range e.waiting {
		if q.Sequence == sequence {
			e.waiting = append(e.waiting[:i], e.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// next gives the bytes that end the first request with what is to be sent first;
// nil while either is missing. A transfer that is longer than there is room for
// goes on in the next request when the room is whole packets; else the rest is
// lost, as a host controller would have it (USB 2.0 §8.5.2, babble).
func (e *inlet) next() []byte {
	if len(e.waiting) == 0 || len(e.ready) == 0 {
		return nil
	}
	q, b := e.waiting[0], e.ready[0]
	e.waiting = e.waiting[1:]
	switch {
	case len(b) <= q.Length:
		e.ready = e.ready[1:]
		return q.Return(usbip.OK, 0, b)
	case q.Length > 0 && q.Length%maxPacket == 0:
		e.ready[0] = b[q.Length:]
		return q.Return(usbip.OK, 0, b[:q.Length])
	}
	e.ready = e.ready[1:]
	return q.Return(usbip.Overflow, 0, b[:q.Length])
}
