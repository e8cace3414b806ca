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

// Next to each outbox is a file with the device's own records (store.Records).
// Each write to it, numbered from 1, changes several keys at once. The seed
// determines the keys and the values.

const (
	keptBucket     = "kept"
	keptNumber     = "number" // the key of the newest write's number
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

// kept returns the keys that a write changes; it deletes a key with a nil value.
func (c chain) kept(n uint64) map[string][]byte {
	random := rand.New(rand.NewPCG(c.seed+uint64(c.box), n))
	value := bytes.Repeat(fmt.Appendf(nil, "%d.", random.Uint64()), 1+random.IntN(500)) // up to 10 KB
	return map[string][]byte{
		keptNumber:                     strconv.AppendUint(nil, n, 10),
		"a" + strconv.Itoa(int(n%4)):   value,
		"a" + strconv.Itoa(int(n+2)%4): nil,
	}
}

// keptAfter returns the expected content after n writes.
func (c chain) keptAfter(n uint64) map[string][]byte {
	all := map[string][]byte{}
	for i := range n {
		maps.Copy(all, c.kept(i+1))
	}
	maps.DeleteFunc(all, func(_ string, value []byte) bool { return value == nil })
	return all
}

// records compares the device's records with the promises. Each write must be
// there completely or not at all, and each write that returned must be there.
func (c Checker) records(path string, box int, p promise) error {
	if _, err := os.Stat(recordsPath(path)); errors.Is(err, fs.ErrNotExist) {
		if p.records {
			return errors.New("the device's records are missing")
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
		return fmt.Errorf("the device's records are of write %d, not %d to %d", n, p.kept, p.keeping)
	}
	made := chain{seed: c.Seed, box: box}
	if !maps.EqualFunc(all, made.keptAfter(n), bytes.Equal) {
		return fmt.Errorf("the device's records differ from those after write %d", n)
	}
	return r.Put(keptBucket, made.kept(n+1))
}
