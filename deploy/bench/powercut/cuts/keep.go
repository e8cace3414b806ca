package cuts

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"

	"smartkiosk/store"
)

// Beside each outbox its device keeps records of its own (store.Records). Each
// write of theirs, numbered from 1, changes several keys at once; which and to
// what follows from the seed.

const (
	keptBucket     = "kept"
	keptNumber     = "number" // the key that has the number of the newest write
	keepsOfSession = 6
)

func recordsPath(boxPath string) string { return boxPath + ".records" }

// keeps writes a session's share of the device's records.
func (l *life) keeps(again bool) error {
	var r *store.Records
	err := l.do(OpenRecords, 0, func() (err error) {
		r, err = store.OpenRecords(recordsPath(l.path))
		return err
	})
	if err != nil {
		return err
	}
	first := uint64(1)
	if again {
		first += keepsOfSession
	}
	c := chain{seed: l.Seed, box: l.box}
	for n := first; n < first+keepsOfSession && err == nil; n++ {
		err = l.do(Keep, n, func() error { return r.Put(keptBucket, c.kept(n)) })
	}
	return errors.Join(err, r.Close())
}

// kept is what a write changes: nil is deleted.
func (c chain) kept(n uint64) map[string][]byte {
	random := rand.New(rand.NewPCG(c.seed+uint64(c.box), n))
	value := bytes.Repeat(fmt.Appendf(nil, "%d.", random.Uint64()), 1+random.IntN(500)) // up to 10 KB
	return map[string][]byte{
		keptNumber:                     strconv.AppendUint(nil, n, 10),
		"a" + strconv.Itoa(int(n%4)):   value,
		"a" + strconv.Itoa(int(n+2)%4): nil,
	}
}

// keptAfter is what there must be after so many writes.
func (c chain) keptAfter(n uint64) map[string][]byte {
	all := map[string][]byte{}
	for i := range n {
		maps.Copy(all, c.kept(i+1))
	}
	maps.DeleteFunc(all, func(_ string, value []byte) bool { return value == nil })
	return all
}

// records holds the device's records to what was promised: each write is there
// whole or not at all, and those that returned are.
func (c Checker) records(path string, box int, p promise) error {
	if _, err := os.Stat(recordsPath(path)); errors.Is(err, fs.ErrNotExist) {
		if p.records {
			return errors.New("its records are gone")
		}
		return nil
	}
	r, err := store.OpenRecords(recordsPath(path))
	if err != nil {
		return err
	}
	defer r.Close()
	all := map[string][]byte{}
	if err := r.Each(keptBucket, func(key string, value []byte) error {
		all[key] = bytes.Clone(value)
		return nil
	}); err != nil {
		return err
	}
	n := uint64(0)
	if number := all[keptNumber]; number != nil {
		if n, err = strconv.ParseUint(string(number), 10, 64); err != nil {
			return err
		}
	}
	if n < p.kept || n > p.keeping {
		return fmt.Errorf("its records are of write %d, not %d to %d", n, p.kept, p.keeping)
	}
	made := chain{seed: c.Seed, box: box}
	if !maps.EqualFunc(all, made.keptAfter(n), bytes.Equal) {
		return fmt.Errorf("its records are not as write %d left them", n)
	}
	return r.Put(keptBucket, made.kept(n+1))
}
