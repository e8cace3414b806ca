package daemon

import (
	"encoding/json"
	"fmt"
	"sync"

	"smartkiosk/store"
)

// highWater is how far the sequence may have come. It is kept in the records, apart
// from the outbox, so that no number is given twice when nothing is left of
// that and the hub cannot be asked.
type highWater struct {
	Through uint64 `json:"through"` // no event has a higher number
	Acked   uint64 `json:"acked"`   // the hub has all through here, and perhaps more
}

const (
	highWaterBucket, highWaterKey = "outbox", "high-water"

	// highWaterStep is how many numbers, at most, a mark is ahead of the last event
	// when it is written. That spares the disk a write for each, and bounds how
	// many more events are said to be lost than were. A mark that is further
	// ahead tells of an old copy.
	highWaterStep = 128
)

// readHighWater gives the mark, the zero one before the first.
func readHighWater(records *store.Records) (m highWater, err error) {
	text, err := records.Get(highWaterBucket, highWaterKey)
	if err != nil || text == nil {
		return highWater{}, err
	}
	if err := json.Unmarshal(text, &m); err != nil || m.Through <= m.Acked {
		return highWater{}, fmt.Errorf("cannot read how far the sequence came: %q is not a high-water mark", text)
	}
	return m, nil
}

// trackedOutbox is the outbox with its mark always ahead of it.
type trackedOutbox struct {
	*store.Store
	records *store.Records

	mu        sync.Mutex
	highWater highWater
}

// Append is the outbox's, which also fails when the mark cannot be written.
func (o *trackedOutbox) Append(seal func(seq uint64, prev []byte) (record, link []byte, err error)) (uint64, error) {
	p := o.Position()
	return o.Store.Append(func(seq uint64, prev []byte) (record, link []byte, err error) {
		if err := o.advance(seq, max(seq, p.Last+highWaterStep), p.Acked); err != nil {
			return nil, nil, err
		}
		return seal(seq, prev)
	})
}

// Level is the outbox's, which also is full when the mark cannot be written.
// It moves the mark early, so that no visit waits for it.
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

// advance moves the mark through a number, unless it is at seq or beyond.
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
		return fmt.Errorf("cannot keep how far the sequence came: %w", err)
	}
	o.highWater = m
	return nil
}
