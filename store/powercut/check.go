package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"smartkiosk/store"
)

// Checker holds outboxes to what their Writer was promised.
type Checker struct {
	Seed uint64 // the Writer's
	Old  []Old
}

// Check opens each outbox that there must be. It fails unless all records are
// there whose Append returned, and none that was not asked for, each once, in
// its place and unaltered, but for those that were acknowledged; and unless
// another can be appended.
func (c Checker) Check(folder string, p Promises) error {
	var err error
	for box, promise := range p.boxes {
		if boxErr := c.box(boxPath(folder, box), box, *promise); boxErr != nil {
			err = errors.Join(err, fmt.Errorf("outbox %d: %w", box, boxErr))
		}
	}
	return err
}

func (c Checker) box(path string, box int, p promise) error {
	var old Old
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist) && p.there:
		return errors.New("it is gone")
	case errors.Is(err, fs.ErrNotExist):
		// It is made now, and must be empty.
	case err != nil:
		return err
	case p.old >= 0:
		old = c.Old[p.old]
	}
	want := expected{chain: chain{seed: c.Seed, box: box}, old: old, last: old.last, link: old.link}

	s, err := store.Open(path, store.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	last := s.Sequence()
	if least, most := max(old.last, p.appended), old.last+p.tried; last < least || last > most {
		return fmt.Errorf("its newest record is %d, not %d to %d", last, least, most)
	}
	records, err := s.Pending(0, s.Len()+1)
	if err != nil {
		return err
	}
	if first := last + 1 - uint64(len(records)); first > max(p.acked+1, old.first, 1) {
		return fmt.Errorf("its oldest record is %d, and only those through %d were acknowledged", first, p.acked)
	}
	if err := want.match(records, last); err != nil {
		return err
	}
	return c.goesOn(s, path, want, last)
}

// goesOn appends one more record, and looks that it is there.
func (c Checker) goesOn(s *store.Store, path string, want expected, last uint64) error {
	if _, err := s.Append(want.chain.seal); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	s, err := store.Open(path, store.Options{})
	if err != nil {
		return fmt.Errorf("after one more record: %w", err)
	}
	defer s.Close()
	records, err := s.Pending(last, 2)
	if err != nil {
		return err
	}
	if len(records) != 1 {
		return fmt.Errorf("after one more record there are %d more", len(records))
	}
	return want.match(records, last+1)
}

// expected are the records that an outbox must hold.
type expected struct {
	chain chain
	old   Old
	last  uint64 // the newest for which the link is known
	link  []byte // its link
}

// match compares the pending records with what they must be, up to the last.
func (e *expected) match(records []store.Record, last uint64) error {
	first := last + 1 - uint64(len(records))
	for i, r := range records {
		if want := first + uint64(i); r.Sequence != want {
			return fmt.Errorf("record %d stands where %d should", r.Sequence, want)
		}
		if !bytes.Equal(r.Data, e.record(r.Sequence)) {
			return fmt.Errorf("record %d is not what was appended", r.Sequence)
		}
	}
	return nil
}

// record makes a record as it was appended. Sequence numbers must not fall.
func (e *expected) record(seq uint64) (record []byte) {
	if seq <= e.old.last {
		return e.old.records[seq]
	}
	for e.last < seq {
		e.last++
		record, e.link = e.chain.record(e.last, e.link)
	}
	return record
}
