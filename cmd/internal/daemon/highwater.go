package daemon

import (
	"encoding/json"
	"fmt"
	"sync"

	"smartkiosk/store"
)

// highWater is an upper limit of the sequence numbers that the kiosk has used. It is
// kept in the records, apart from the outbox, so that no number is used twice when the
// outbox is lost and the hub does not answer.
type highWater struct {
	Through uint64 `json:"through"` // no event has a higher sequence number
	Acked   uint64 `json:"acked"`   // the hub has all events up to this one, and perhaps more
}

const (
	highWaterBucket, highWaterKey = "outbox", "high-water"

	// highWaterStep is how far ahead of the last event a mark is written, at most. A
	// larger step saves disk writes. A smaller step reports fewer events as lost that
	// never existed. If the mark is further ahead than this, the outbox is an old copy.
	highWaterStep = 128
)

// readHighWater returns the mark, or the zero value if none was written yet.
func readHighWater(records *store.Records) (m highWater, err error) {
	text, err := records.Get(highWaterBucket, highWaterKey)
	if err != nil || text == nil {
		return highWater{}, err
	}
	if err := json.Unmarshal(text, &m); err != nil || m.Through <= m.Acked {
		return highWater{}, fmt.Errorf("cannot read the high-water mark: %q is invalid", text)
	}
	return m, nil
}

// trackedOutbox is the outbox together with its high-water mark, which is never behind
// the last event.
type trackedOutbox struct {
	*store.Store
	records *store.Records

	mu        sync.Mutex
	highWater highWater
}

// Append appends an event to the outbox. If the event's number is beyond the mark, it
// first writes a higher mark. It fails if it cannot write that mark.
func (o *trackedOutbox) Append(seal func(seq uint64, prev []byte) (record, link []byte, err error)) (uint64, error) {
	p := o.Position()
	return o.Store.Append(func(seq uint64, prev []byte) (record, link []byte, err error) {
		if err := o.advance(seq, max(seq, p.Last+highWaterStep), p.Acked); err != nil {
			return nil, nil, err
		}
		return seal(seq, prev)
	})
}

// Level returns the outbox's level, or store.Full with an error when the mark cannot be
// written. It moves the mark early, so that no visit waits for that write.
func (o *trackedOutbox) Level() (store.Level, error) {
	level, err := o.Store.Level()
	if err != nil {
		return level, err
	}
	p := o.Position()
	if err := o.advance(p.Last+highWaterStep/2, p.Last+highWaterStep, p.Acked); err != nil {
		return store.Full, err
	}
	return level, nil
}

// advance writes a mark with the given numbers, unless the mark is at seq or higher.
func (o *trackedOutbox) advance(seq, through, acked uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if seq <= o.highWater.Through {
		return nil
	}
	m := highWater{Through: through, Acked: acked}
	text, err := json.Marshal(m)
	if err == nil {
		err = o.records.Put(highWaterBucket, map[string][]byte{highWaterKey: text})
	}
	if err != nil {
		return fmt.Errorf("cannot write the high-water mark: %w", err)
	}
	o.highWater = m
	return nil
}
