package cuts

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"smartkiosk/store"
)

// Writer creates outboxes in a folder, one after the other, and uses each like a
// kiosk: it appends from several goroutines, acknowledges, serves a consumer,
// keeps its own records, compacts, closes and opens again. kinds.go says how the
// outboxes differ.
type Writer struct {
	Folder string
	Seed   uint64
	Old    []Old
	Keys   OpenKeys
	Mark   func(Mark) error // puts a mark in the disk's log; used from several goroutines
}

// Write works until it has appended the number of records and passed every point.
func (w *Writer) Write(records int) error {
	for box := 1; records > 0 || box <= allMet; box++ {
		random := rand.New(rand.NewPCG(w.Seed, uint64(box)))
		n := 5 + random.IntN(40)
		if long(box) {
			n += 300
		}
		l := life{Writer: w, box: box, path: boxPath(w.Folder, box), random: random}
		if err := l.live(n); err != nil {
			return fmt.Errorf("cannot write outbox %d: %w", box, err)
		}
		records -= n
	}
	return nil
}

// life is the life of one outbox.
type life struct {
	*Writer
	box    int
	path   string
	random *rand.Rand
	keys   Keys // nil if the records are not sealed
}

func (l *life) live(records int) error {
	if sealed(l.box) {
		var err error
		if l.keys, err = l.Keys(l.Seed, l.path); err != nil {
			return err
		}
		if err := l.rotate(1); err != nil {
			return err
		}
	}
	opening := Create
	if migrated(l.box) {
		opening = Migrate
		old := l.random.IntN(len(l.Old))
		if err := l.do(Place, uint64(old), func() error { return l.Old[old].place(l.path) }); err != nil {
			return err
		}
	}
	err := l.session(opening, records/2)
	if err == nil {
		err = l.mishap()
	}
	if err == nil {
		err = l.session(Open, records-records/2)
	}
	if err != nil {
		return err
	}
	return l.do(Remove, 0, func() error {
		names, err := filepath.Glob(l.path + "*")
		for _, name := range names {
			err = errors.Join(err, os.Remove(name))
		}
		return err
	})
}

// mishap damages some closed outboxes and repairs them.
func (l *life) mishap() error {
	if !salvaged(l.box) {
		return nil
	}
	return errors.Join(
		l.do(Damage, 0, func() error { return damage(l.path) }),
		l.do(Salvage, 0, func() error { return salvage(l.path) }),
	)
}

// session opens the outbox, works with it and closes it.
func (l *life) session(opening Point, records int) (err error) {
	var s *store.Store
	err = l.do(opening, 0, func() error {
		s, err = store.Open(l.path, options(l.box))
		return err
	})
	if err != nil {
		return err
	}
	var work []func() error
	work = append(work, func() error { return l.keeps(opening == Open) })
	work = append(work, func() error {
		return l.do(Compact, 0, func() error { return s.Compact(context.Background(), nil) })
	})
	if l.keys != nil {
		work = append(work, func() error { return l.rotates(opening == Open) })
	}
	writers, patient := 1+l.random.IntN(4), l.random.IntN(2) == 0
	for i := range writers {
		n := (records + i) / writers
		every := 1 + l.random.IntN(20)
		if patient { // acknowledge all at once, when the last goroutine is done
			if every = n; i < writers-1 {
				every = n + 1
			}
		}
		behind := uint64(1 + l.random.IntN(10))
		work = append(work, func() error { return l.appends(s, n, every, behind) })
	}
	failed := make(chan error)
	for _, f := range work {
		go func() { failed <- f() }()
	}
	for range work {
		err = errors.Join(err, <-failed)
	}
	if last := s.Sequence(); err == nil { // the last record is never acknowledged
		err = l.do(Park, last, func() error { return s.MoveToDeadLetters(last, standIn) })
	}
	return errors.Join(err, l.do(Close, 0, s.Close))
}

// parked is the stand-in for a dead letter.
var parked = []byte("parked")

func standIn([]byte, store.Record) (record []byte, err error) { return parked, nil }

// appends appends n records. After every few records it acknowledges and moves
// the consumer's cursor, up to behind records before the newest.
func (l *life) appends(s *store.Store, n, every int, behind uint64) error {
	seal := chain{seed: l.Seed, box: l.box}.seal
	if l.keys != nil {
		seal = l.keys.Seal
	}
	for i := range n {
		if err := l.Mark(Mark{Box: l.box, Point: Append}); err != nil {
			return err
		}
		seq, err := s.Append(seal)
		if err != nil {
			return err
		}
		if err := l.Mark(Mark{Box: l.box, Point: Append, End: true, Number: seq}); err != nil {
			return err
		}
		if (i+1)%every != 0 || seq <= behind {
			continue
		}
		through := seq - behind
		err = errors.Join(
			l.do(Advance, through/2, func() error { return s.Advance(consumer, through/2) }),
			l.do(Ack, through, func() error { return s.Ack(through) }),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// do calls f and marks its beginning and its end in the log.
func (l *life) do(p Point, number uint64, f func() error) error {
	m := Mark{Box: l.box, Point: p, Number: number}
	if err := l.Mark(m); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	m.End = true
	return l.Mark(m)
}
