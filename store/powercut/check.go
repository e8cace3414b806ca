package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
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
// its place and unaltered, but for those that were acknowledged and need not be
// kept; and unless another can be appended. The device's own records must be
// as after a whole number of their writes, those that returned among them.
func (c Checker) Check(folder string, p Promises) error {
	var err error
	for box, promise := range p.boxes {
		path := boxPath(folder, box)
		if boxErr := errors.Join(c.box(path, box, *promise), c.records(path, box, *promise)); boxErr != nil {
			err = errors.Join(err, fmt.Errorf("outbox %d: %w", box, boxErr))
		}
	}
	return err
}

func (c Checker) box(path string, box int, p promise) error {
	old := none
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
	want := expected{chain: chain{seed: c.Seed, box: box}, old: old, last: old.at.Last, link: old.link}

	s, err := store.Open(path, options(box))
	if errors.Is(err, store.ErrDamaged) && p.damaged {
		if err := salvage(path); err != nil {
			return err
		}
		s, err = store.Open(path, options(box))
	}
	if err != nil {
		return err
	}
	defer s.Close()
	at := s.Position()
	if least, most := max(old.at.Last, p.appended), old.at.Last+p.tried; at.Last < least || at.Last > most {
		return fmt.Errorf("its newest record is %d, not %d to %d", at.Last, least, most)
	}
	if most := max(p.acked, old.at.Acked); at.Acked > most {
		return fmt.Errorf("its records through %d are acknowledged, and only those through %d were", at.Acked, most)
	}
	if got, most := s.Cursor(consumer), max(p.advanced, old.cursor); got > most {
		return fmt.Errorf("its cursor is at %d, and was moved to %d only", got, most)
	}
	deleted := max(p.mayDelete(box), old.at.First-1)
	if at.First > deleted+1 {
		return fmt.Errorf("its oldest record is %d, and only those through %d may be deleted", at.First, deleted)
	}
	aside, err := s.Parked()
	if err != nil {
		return err
	}
	if err := want.matchParked(aside, p.parked); err != nil {
		return err
	}
	records, err := s.Records(0, math.MaxInt)
	if err != nil {
		return err
	}
	if err := want.match(records, at.First, at.Last); err != nil {
		return err
	}
	return c.goesOn(s, box, path, want, at.Last)
}

// mayDelete is the newest record that may be gone.
func (p *promise) mayDelete(box int) uint64 {
	through := p.acked
	if needs(box) {
		through = min(through, p.advanced)
	}
	return through - min(through, uint64(options(box).Keep))
}

// goesOn appends one more record, and looks that it is there.
func (c Checker) goesOn(s *store.Store, box int, path string, want expected, last uint64) error {
	if _, err := s.Append(want.chain.seal); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	s, err := store.Open(path, options(box))
	if err != nil {
		return fmt.Errorf("after one more record: %w", err)
	}
	defer s.Close()
	records, err := s.Records(last, 2)
	if err != nil {
		return fmt.Errorf("after one more record: %w", err)
	}
	return want.match(records, last+1, last+1)
}

// expected are the records that an outbox must hold.
type expected struct {
	chain chain
	old   Old
	aside map[uint64]bool // records for which another stands in
	last  uint64          // the newest for which the link is known
	link  []byte          // its link
}

// match compares records with what those from the first to the last must be.
func (e *expected) match(records []store.Record, first, last uint64) error {
	for seq := first; seq <= last; seq++ {
		if len(records) == 0 {
			return fmt.Errorf("record %d is missing", seq)
		}
		if records[0].Sequence != seq {
			return fmt.Errorf("record %d stands where %d should", records[0].Sequence, seq)
		}
		want := e.record(seq)
		if e.aside[seq] {
			want = parked
		}
		if !bytes.Equal(records[0].Data, want) {
			return fmt.Errorf("record %d is not what was appended, or stands in for that", seq)
		}
		records = records[1:]
	}
	if len(records) > 0 {
		return fmt.Errorf("%d records come after the last", len(records))
	}
	return nil
}

// matchParked compares the records that are kept aside with what they must be.
// From then on match wants others in their places.
func (e *expected) matchParked(records []store.Record, promised map[uint64]bool) error {
	original := *e
	e.aside = map[uint64]bool{}
	for _, r := range records {
		if _, tried := promised[r.Sequence]; !tried {
			return fmt.Errorf("record %d was parked by itself", r.Sequence)
		}
		if !bytes.Equal(r.Data, original.record(r.Sequence)) {
			return fmt.Errorf("record %d, which was parked, is not what was appended", r.Sequence)
		}
		e.aside[r.Sequence] = true
	}
	for seq, done := range promised {
		if done && !e.aside[seq] {
			return fmt.Errorf("record %d, which was parked, is missing", seq)
		}
	}
	return nil
}

// record makes a record as it was appended. Sequence numbers must not fall.
func (e *expected) record(seq uint64) (record []byte) {
	if seq <= e.old.at.Last {
		return e.old.records[seq]
	}
	for e.last < seq {
		e.last++
		record, e.link = e.chain.record(e.last, e.link)
	}
	return record
}
