package cuts

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"

	"smartkiosk/store"
)

// Checker compares outboxes with the promises to their Writer.
type Checker struct {
	Seed uint64 // the Writer's seed
	Old  []Old
	Keys OpenKeys
}

// Check opens each outbox that must exist. It fails unless
//
//   - each record whose Append returned is there once, in its place and
//     unaltered, except acknowledged records that need not be kept,
//   - there is no record that the Writer did not append,
//   - another record can be appended,
//   - the keys and the device's records are as after a whole number of writes,
//     including those that returned, and
//   - the hub's keys open every sealed record.
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
	want := expected{chain: chain{seed: c.Seed, box: box}, old: none}
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist) && p.there:
		return errors.New("the outbox is missing")
	case errors.Is(err, fs.ErrNotExist):
		// Open creates the outbox now. It must be empty.
	case err != nil:
		return err
	case p.old >= 0:
		want.old = c.Old[p.old]
	}
	want.last, want.link = want.old.at.Last, want.old.link
	if sealed(box) {
		var err error
		if want.keys, err = c.Keys(c.Seed, path); err != nil {
			return err
		}
		if err := checkKeys(want.keys, p); err != nil {
			return err
		}
	}

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
	if err := p.position(box, at, s.Cursor(consumer), want.old); err != nil {
		return err
	}
	aside, err := s.DeadLetters()
	if err != nil {
		return err
	}
	if err := want.matchDeadLetters(aside, p.parked); err != nil {
		return err
	}
	records, err := s.Records(0, math.MaxInt)
	if err != nil {
		return err
	}
	if err := want.match(records, at.First, at.Last); err != nil {
		return err
	}
	return want.goesOn(s, box, path, at.Last)
}

// position compares the positions of an outbox and its consumer with the promise.
func (p *promise) position(box int, at store.Position, cursor uint64, old Old) error {
	if least, most := max(old.at.Last, p.appended), old.at.Last+p.tried; at.Last < least || at.Last > most {
		return fmt.Errorf("its newest record is %d, not %d to %d", at.Last, least, most)
	}
	if most := max(p.acked, old.at.Acked); at.Acked > most {
		return fmt.Errorf("its records through %d are acknowledged, and only those through %d were", at.Acked, most)
	}
	if most := max(p.advanced, old.cursor); cursor > most {
		return fmt.Errorf("its cursor is at %d, and was moved to %d only", cursor, most)
	}
	if deleted := max(p.mayDelete(box), old.at.First-1); at.First > deleted+1 {
		return fmt.Errorf("its oldest record is %d, and only those through %d may be deleted", at.First, deleted)
	}
	return nil
}

// mayDelete returns the newest record that may be deleted.
func (p *promise) mayDelete(box int) uint64 {
	through := p.acked
	if needs(box) {
		through = min(through, p.advanced)
	}
	through -= min(through, uint64(options(box).Keep))
	return through
}

// goesOn appends one more record and checks that it is there.
func (e *expected) goesOn(s *store.Store, box int, path string, last uint64) error {
	seal := e.chain.seal
	if e.keys != nil {
		if err := errors.Join(e.keys.Rotate(), e.keys.Follow()); err != nil {
			return err
		}
		seal = e.keys.Seal
	}
	if _, err := s.Append(seal); err != nil {
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
	return e.match(records, last+1, last+1)
}
