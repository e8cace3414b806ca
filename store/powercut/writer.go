package powercut

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"smartkiosk/store"
)

// Writer makes outboxes in a folder, one after the other, and does with each
// what a kiosk would: appends from several goroutines, acknowledges, serves a
// consumer, keeps records of its own, compacts, closes, opens again. Every other one it makes of the
// file of an older program, and every third it has to salvage.
type Writer struct {
	Folder string
	Seed   uint64
	Old    []Old
	Mark   func(Mark) error // puts a mark in the disk's log; used from several goroutines
}

// Write works until so many records were appended.
func (w *Writer) Write(records int) error {
	for box := 1; records > 0; box++ {
		random := rand.New(rand.NewPCG(w.Seed, uint64(box)))
		n := 5 + random.IntN(40)
		if box%3 == 1 {
			n += 300 // enough that Ack writes by itself
		}
		if err := w.box(box, n, random); err != nil {
			return fmt.Errorf("cannot write outbox %d: %w", box, err)
		}
		records -= n
	}
	return nil
}

// box is the life of one outbox.
func (w *Writer) box(box, records int, random *rand.Rand) error {
	path := boxPath(w.Folder, box)
	opening := Create
	if box%2 == 0 {
		opening = Migrate
		old := random.IntN(len(w.Old))
		if err := w.do(Mark{Box: box, Point: Place, Number: uint64(old)}, func() error { return w.Old[old].place(path) }); err != nil {
			return err
		}
	}
	if err := w.session(box, path, opening, records/2, random); err != nil {
		return err
	}
	if box%3 == 2 {
		err := errors.Join(
			w.do(Mark{Box: box, Point: Damage}, func() error { return damage(path) }),
			w.do(Mark{Box: box, Point: Salvage}, func() error { return salvage(path) }),
		)
		if err != nil {
			return err
		}
	}
	if err := w.session(box, path, Open, records-records/2, random); err != nil {
		return err
	}
	return w.do(Mark{Box: box, Point: Remove}, func() error {
		names, err := filepath.Glob(path + "*")
		for _, name := range names {
			err = errors.Join(err, os.Remove(name))
		}
		return err
	})
}

func (w *Writer) session(box int, path string, opening Point, records int, random *rand.Rand) (err error) {
	var s *store.Store
	err = w.do(Mark{Box: box, Point: opening}, func() error {
		s, err = store.Open(path, options(box))
		return err
	})
	if err != nil {
		return err
	}
	failed := make(chan error)
	go func() {
		before := uint64(0)
		if opening == Open {
			before = keepsOfSession
		}
		failed <- w.keeps(path, box, before)
	}()
	go func() {
		failed <- w.do(Mark{Box: box, Point: Compact}, func() error { return s.Compact(context.Background()) })
	}()
	writers, patient := 1+random.IntN(4), random.IntN(2) == 0
	for i := range writers {
		n := (records + i) / writers
		every := 1 + random.IntN(20)
		if patient { // all at once, when the last writer is done
			if every = n; i < writers-1 {
				every = n + 1
			}
		}
		behind := uint64(1 + random.IntN(10))
		go func() { failed <- w.appends(s, box, n, every, behind) }()
	}
	for range writers + 2 {
		err = errors.Join(err, <-failed)
	}
	if last := s.Sequence(); err == nil { // nobody acknowledges the last
		err = w.do(Mark{Box: box, Point: Park, Number: last}, func() error { return s.Park(last, standIn) })
	}
	return errors.Join(err, w.do(Mark{Box: box, Point: Close}, s.Close))
}

// parked is the record that stands in for one that was parked.
var parked = []byte("parked")

func standIn(_, _ []byte) (record []byte, err error) { return parked, nil }

// appends appends n records. After every so many it acknowledges, and moves
// the consumer's cursor, up to some way behind.
func (w *Writer) appends(s *store.Store, box, n, every int, behind uint64) error {
	seal := chain{seed: w.Seed, box: box}.seal
	for i := range n {
		if err := w.Mark(Mark{Box: box, Point: Append}); err != nil {
			return err
		}
		seq, err := s.Append(seal)
		if err != nil {
			return err
		}
		if err := w.Mark(Mark{Box: box, Point: Append, End: true, Number: seq}); err != nil {
			return err
		}
		if (i+1)%every != 0 || seq <= behind {
			continue
		}
		through := seq - behind
		err = errors.Join(
			w.do(Mark{Box: box, Point: Advance, Number: through / 2}, func() error { return s.Advance(consumer, through/2) }),
			w.do(Mark{Box: box, Point: Ack, Number: through}, func() error { return s.Ack(through) }),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// do marks the beginning and the end of what f does.
func (w *Writer) do(m Mark, f func() error) error {
	if err := w.Mark(m); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	m.End = true
	return w.Mark(m)
}

// consumer has a cursor in every outbox. For some of them its records are kept.
const consumer = "feed"

// options are those of an outbox, so that each way of keeping what was
// acknowledged is met. The disk is small, with nothing else on it, and yet the
// outbox is never Low, at which it would keep less.
func options(box int) store.Options {
	o := store.Options{MaxSize: 16 << 20, Headroom: 1, Keep: 10 * (box % 3)}
	if needs(box) {
		o.Required = []string{consumer}
	}
	return o
}

func needs(box int) bool { return box%4 < 2 }

func boxPath(folder string, box int) string {
	return filepath.Join(folder, fmt.Sprintf("outbox%d.db", box))
}
