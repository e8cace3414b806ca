package cuts

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"smartkiosk/store"
)

// Old is the file of an outbox that an older program wrote.
type Old struct {
	data    []byte
	at      store.Position
	cursor  uint64 // the consumer's
	records map[uint64][]byte
	link    []byte // of the newest record
}

// none is what is known of an outbox that is made new.
var none = Old{at: store.Position{First: 1}}

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
