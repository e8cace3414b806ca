package daemon

import (
	"encoding/json"
	"fmt"
	"sync"

	"smartkiosk/store"
)

// mark is how far the sequence may have come. It is kept in the records, apart
// from the outbox, so that no number is given twice when nothing is left of
// that and the hub cannot be asked.
type mark struct {
	Through uint64 `json:"through"` // no event has a higher number
	Acked   uint64 `json:"acked"`   // the hub has all through here, and perhaps more
}

const (
	markBucket, markKey = "outbox", "mark"

	// markStep is how many numbers, at most, a mark is ahead of the last event
	// when it is written. That spares the disk a write for each, and bounds how
	// many more events are said to be lost than were. A mark that is further
	// ahead tells of an old copy.
	markStep = 128
)

// readMark gives the mark, the zero one before the first.
func readMark(records *store.Records) (m mark, err error) {
	text, err := records.Get(markBucket, markKey)
	if err != nil || text == nil {
		return mark{}, err
	}
	if err := json.Unmarshal(text, &m); err != nil || m.Through <= m.Acked {
		return mark{}, fmt.Errorf("cannot read how far the sequence came: %q is no mark", text)
	}
	return m, nil
}

// markedOutbox is the outbox with its mark always ahead of it.
type markedOutbox struct {
	*store.Store
	records *store.Records

	mu   sync.Mutex
	mark mark
}

// Append is the outbox's, which also fails when the mark cannot be written.
func (o *markedOutbox) Append(seal func(seq uint64, prev []byte) (record, link []byte, err error)) (uint64, error) {
	p := o.Position()
	return o.Store.Append(func(seq uint64, prev []byte) (record, link []byte, err error) {
		if err := o.advance(seq, max(seq, p.Last+markStep), p.Acked); err != nil {
			return nil, nil, err
		}
		return seal(seq, prev)
	})
}

// Level is the outbox's, which also is full when the mark cannot be written.
// It moves the mark early, so that no visit waits for it.
func (o *markedOutbox) Level() (store.Level, error) {
	level, err := o.Store.Level()
	if err != nil {
		return level, err
	}
	p := o.Position()
	if err := o.advance(p.Last+markStep/2, p.Last+markStep, p.Acked); err != nil {
		return store.Full, err
	}
	return level, nil
}

// advance moves the mark through a number, unless it is at seq or beyond.
func (o *markedOutbox) advance(seq, through, acked uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if seq <= o.mark.Through {
		return nil
	}
	m := mark{Through: through, Acked: acked}
	text, err := json.Marshal(m)
	if err == nil {
		err = o.records.Put(markBucket, map[string][]byte{markKey: text})
	}
	if err != nil {
		return fmt.Errorf("cannot keep how far the sequence came: %w", err)
	}
	o.mark = m
	return nil
}
