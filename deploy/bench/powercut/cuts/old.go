package cuts

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"smartkiosk/store"
)

// Old is an outbox file that an older program wrote.
type Old struct {
	data    []byte
	at      store.Position
	cursor  uint64 // the consumer's cursor
	records map[uint64][]byte
	aside   map[uint64][]byte // the dead letters
	link    []byte            // the newest record's link
}

// none describes a newly created outbox.
var none = Old{at: store.Position{First: 1}}

// ReadOld reads the files whose names match the pattern. It opens copies of them
// in the folder scratch.
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
		old := Old{data: data, records: map[uint64][]byte{}, aside: map[uint64][]byte{}}
		if err := old.read(filepath.Join(scratch, filepath.Base(name))); err != nil {
			return nil, fmt.Errorf("cannot read old outbox %s: %w", name, err)
		}
		all = append(all, old)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("cannot find an old outbox: no file matches %s", pattern)
	}
	return all, nil
}

// read reads the content from a copy of the file.
func (o *Old) read(path string) error {
	if err := os.WriteFile(path, o.data, 0o600); err != nil {
		return err
	}
	s, err := store.Open(path, store.Options{Headroom: 1})
	if err != nil {
		return err
	}
	defer s.Close()
	o.at, o.cursor = s.Position(), s.Cursor(consumer)
	records, err := s.Records(0, math.MaxInt)
	if err != nil {
		return err
	}
	for _, r := range records {
		o.records[r.Sequence] = r.Data
	}
	aside, err := s.DeadLetters()
	if err != nil {
		return err
	}
	for _, r := range aside {
		o.aside[r.Sequence] = r.Data
	}
	_, err = s.Append(func(_ uint64, prev []byte) (record, link []byte, err error) {
		o.link = prev
		return []byte("last"), make([]byte, store.LinkSize), nil
	})
	return err
}

// place copies the file to path and syncs it, so that a cut cannot remove it.
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
