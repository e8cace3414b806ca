package powercut

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"smartkiosk/store"
)

// Writer makes outboxes in a folder, one after the other, and does with each
// what a kiosk would: appends from several goroutines, acknowledges, closes,
// opens again. Some it makes of the files of older programs.
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
		if random.IntN(3) == 0 {
			n += 250 // enough that Ack deletes
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
	if old := random.IntN(2 * len(w.Old)); old < len(w.Old) {
		opening = Migrate
		if err := w.do(Mark{Box: box, Point: Place, Number: uint64(old)}, func() error { return w.Old[old].place(path) }); err != nil {
			return err
		}
	}
	sessions := 1 + random.IntN(3)
	for i := range sessions {
		n := records / (sessions - i)
		records -= n
		if err := w.session(box, path, opening, n, random); err != nil {
			return err
		}
		opening = Open
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
		s, err = store.Open(path, store.Options{})
		return err
	})
	if err != nil {
		return err
	}
	writers := 1 + random.IntN(4)
	failed := make(chan error)
	for i := range writers {
		n := (records + i) / writers
		every, behind := uint64(10+random.IntN(200)), uint64(random.IntN(10))
		go func() { failed <- w.appends(s, box, n, every, behind) }()
	}
	for range writers {
		err = errors.Join(err, <-failed)
	}
	return errors.Join(err, w.do(Mark{Box: box, Point: Close}, s.Close))
}

// appends appends n records, and acknowledges some at every so-manieth.
func (w *Writer) appends(s *store.Store, box, n int, every, behind uint64) error {
	seal := chain{seed: w.Seed, box: box}.seal
	for range n {
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
		if seq%every != 0 || seq <= behind {
			continue
		}
		if err := w.do(Mark{Box: box, Point: Ack, Number: seq - behind}, func() error { return s.Ack(seq - behind) }); err != nil {
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

func boxPath(folder string, box int) string {
	return filepath.Join(folder, fmt.Sprintf("outbox%d.db", box))
}

// Old is the file of an outbox that an older program wrote, with no records
// beyond what may be pending.
type Old struct {
	data    []byte
	records map[uint64][]byte
	last    uint64 // its newest record
	first   uint64 // its oldest that is pending
	link    []byte // of the newest
}

// ReadOld reads the files whose names match the pattern. It opens copies of
// them, in a folder that it may use.
func ReadOld(pattern, scratch string) ([]Old, error) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	var all []Old
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		old := Old{data: data, records: map[uint64][]byte{}}
		if err := old.look(filepath.Join(scratch, filepath.Base(name))); err != nil {
			return nil, fmt.Errorf("cannot read old outbox %s: %w", name, err)
		}
		all = append(all, old)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no old outbox is named %s", pattern)
	}
	return all, nil
}

// look learns what the file holds, from a copy.
func (o *Old) look(path string) error {
	if err := os.WriteFile(path, o.data, 0o600); err != nil {
		return err
	}
	s, err := store.Open(path, store.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	o.last = s.Sequence()
	records, err := s.Pending(0, s.Len())
	if err != nil {
		return err
	}
	o.first = o.last + 1
	for i, r := range records {
		if i == 0 {
			o.first = r.Sequence
		}
		o.records[r.Sequence] = r.Data
	}
	_, err = s.Append(func(_ uint64, prev []byte) (record, link []byte, err error) {
		o.link = prev
		return nil, make([]byte, store.LinkSize), nil
	})
	return err
}

// place puts the file where no cut can take it from.
func (o *Old) place(path string) error {
	f, err := os.Create(path + ".old")
	if err != nil {
		return err
	}
	_, err = f.Write(o.data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".old", path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
