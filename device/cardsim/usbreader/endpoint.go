package usbreader

import (
	"errors"

	"smartkiosk/device/cardsim/usbreader/usbip"
)

// inlet is an endpoint on which the device sends. The host's requests wait for
// data, and data waits for a request.
type inlet struct {
	waiting []usbip.Request
	ready   [][]byte // transfers; each ends with a short packet
}

// maxQueued bounds the waiting requests and the waiting transfers. No driver comes
// near it.
const maxQueued = 64

var errQueue = errors.New("the host sends too many requests or reads no answers")

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

// unlink removes a request and reports whether it was waiting.
func (e *inlet) unlink(sequence uint32) bool {
	for i, q := range e.waiting {
		if q.Sequence == sequence {
			e.waiting = append(e.waiting[:i], e.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// next returns the message that answers the first request with the first
// transfer, or nil while either is missing. If the transfer is longer than the
// request allows and that is a whole number of packets, the rest follows in the
// next request. Otherwise the rest is lost, as with a host controller (USB 2.0
// §8.5.2, babble).
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
