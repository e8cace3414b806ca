package journal

import (
	"encoding/base64"

	"smartkiosk/kiosk/protocol/event"
)

// Room writes that the outbox came nearer to its end or further from it, with
// the number of events that wait in it, and of those left out meanwhile.
func (j *Journal) Room(level string, pending int) error {
	thinned := j.thinned.Swap(0)
	err := j.append(event.TypeOutbox, event.Outbox{Level: level, Pending: uint64(pending), Thinned: thinned})
	if err != nil {
		j.thinned.Add(thinned)
	}
	return err
}

// Lost makes the event that stands in the place of one that the outbox lost,
// in a row of events from one to another; through is 0 where nobody knows the
// last. Prev is nil where the event before is not known.
func (j *Journal) Lost(sequence, from, through uint64, prev []byte) (record, link []byte, err error) {
	h, err := j.header(event.TypeLost)
	if err != nil {
		return nil, nil, err
	}
	h.Sequence, h.Prev = sequence, prev
	return j.seal(h, event.Lost{From: from, Through: through})
}

// StandIn makes the event that stands in the place of one that the hub does
// not take: what the outbox's Park wants.
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
