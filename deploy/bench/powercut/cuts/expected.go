package cuts

import (
	"bytes"
	"errors"
	"fmt"

	"smartkiosk/store"
)

// expected describes the records that an outbox must hold.
type expected struct {
	chain chain
	keys  Keys // instead of chain, for records that are sealed
	old   Old
	aside map[uint64][]byte // the dead letters
	last  uint64            // the newest record whose link is known
	link  []byte            // that record's link
}

// match compares records with the expected ones from first to last.
func (e *expected) match(records []store.Record, first, last uint64) error {
	for seq := first; seq <= last; seq++ {
		if len(records) == 0 {
			return fmt.Errorf("record %d is missing", seq)
		}
		if records[0].Sequence != seq {
			return fmt.Errorf("record %d is in the place of record %d", records[0].Sequence, seq)
		}
		if err := e.is(seq, records[0].Data); err != nil {
			return fmt.Errorf("record %d: %w", seq, err)
		}
		records = records[1:]
	}
	if len(records) > 0 {
		return fmt.Errorf("%d records come after the last", len(records))
	}
	return nil
}

// is compares a record with the expected one.
func (e *expected) is(seq uint64, data []byte) error {
	if original, isAside := e.aside[seq]; isAside {
		return errors.Join(e.made(seq, original), compare(data, parked))
	}
	return e.made(seq, data)
}

func compare(got, want []byte) error {
	if !bytes.Equal(got, want) {
		return errors.New("it is neither the appended record nor its stand-in")
	}
	return nil
}

// made returns an error unless the writer appended this record. The caller passes the
// records in order, because each record links to the one before it.
func (e *expected) made(seq uint64, data []byte) (err error) {
	if e.keys == nil || seq <= e.old.at.Last {
		return compare(data, e.record(seq))
	}
	if e.last != seq-1 {
		e.link = nil // the previous record was deleted
	}
	e.last = seq
	e.link, err = e.keys.Open(seq, e.link, data)
	return err
}

// record returns a record of the chain as the writer appended it.
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

// matchDeadLetters compares the dead letters with the expected ones: those that the
// writer moved, and those of the old outbox. From then on match expects stand-ins in the
// places of the former. The old outbox already has stand-ins for the latter.
func (e *expected) matchDeadLetters(records []store.Record, promised map[uint64]bool) error {
	original := *e
	e.aside = map[uint64][]byte{}
	there := map[uint64]bool{}
	for _, r := range records {
		there[r.Sequence] = true
		if of, ok := e.old.aside[r.Sequence]; ok {
			if err := compare(r.Data, of); err != nil {
				return fmt.Errorf("dead letter %d of the old outbox: %w", r.Sequence, err)
			}
			continue
		}
		if _, tried := promised[r.Sequence]; !tried {
			return fmt.Errorf("record %d became a dead letter without being moved there", r.Sequence)
		}
		if err := original.made(r.Sequence, r.Data); err != nil {
			return fmt.Errorf("dead letter %d: %w", r.Sequence, err)
		}
		e.aside[r.Sequence] = r.Data
	}
	for seq := range e.old.aside {
		if !there[seq] {
			return fmt.Errorf("dead letter %d of the old outbox is missing", seq)
		}
	}
	for seq, done := range promised {
		if _, is := e.aside[seq]; done && !is {
			return fmt.Errorf("dead letter %d is missing", seq)
		}
	}
	return nil
}
