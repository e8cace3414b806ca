package journal

import (
	"encoding/base64"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/store"
)

// Room records a new fill level of the outbox, the number of events that are
// pending in it, and the number of events that the journal left out since the
// last call.
func (j *Journal) Room(level string, pending int) error {
	thinned := j.thinned.Swap(0)
	err := j.append(event.TypeOutbox, event.Outbox{Level: level, Pending: uint64(pending), Thinned: thinned})
	if err != nil {
		j.thinned.Add(thinned)
	}
	return err
}

// StandIn returns the function that the outbox calls to make the event that
// replaces one that the hub refused. problem is the hub's reason.
func (j *Journal) StandIn(problem string) func(prev []byte, refused store.Record) (record []byte, err error) {
	return func(prev []byte, refused store.Record) ([]byte, error) {
		of, err := event.Peek(refused.Data)
		if err != nil {
			return nil, err
		}
		h := j.header(event.TypeParked)
		h.Epoch, h.Sequence, h.Prev = of.Epoch, of.Sequence, prev
		record, _, err := j.seal(h, event.Parked{Problem: problem, Link: base64.RawURLEncoding.EncodeToString(refused.Link)})
		return record, err
	}
}
