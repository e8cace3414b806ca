package journal

import (
	"encoding/base64"

	"smartkiosk/kiosk/protocol/event"
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

// Lost makes the event that replaces one that the outbox lost. from and through
// are the first and last sequence number of the lost range; through is 0 if the
// last is unknown. prev is nil if the link of the previous event is unknown.
func (j *Journal) Lost(sequence, from, through uint64, prev []byte) (record, link []byte, err error) {
	h, err := j.header(event.TypeLost)
	if err != nil {
		return nil, nil, err
	}
	h.Sequence, h.Prev = sequence, prev
	return j.seal(h, event.Lost{From: from, Through: through})
}

// StandIn returns the function that the outbox's Park calls to make the event
// that replaces one that the hub refused. problem is the hub's reason.
func (j *Journal) StandIn(sequence uint64, problem string) func(prev, link []byte) (record []byte, err error) {
	return func(prev, link []byte) ([]byte, error) {
		h, err := j.header(event.TypeParked)
		if err != nil {
			return nil, err
		}
		h.Sequence, h.Prev = sequence, prev
		record, _, err := j.seal(h, event.Parked{Problem: problem, Link: base64.RawURLEncoding.EncodeToString(link)})
		return record, err
	}
}
