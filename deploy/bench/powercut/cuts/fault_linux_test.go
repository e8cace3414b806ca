package cuts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"smartkiosk/device/atomicfile"
	"smartkiosk/store"
)

// faultyWork runs in a separate process, on a disk that fails.
var faultyWork = map[string]func(folder string) error{
	"refused write":     refusedCommits(Fault{Access: Write, Errno: syscall.EIO}),
	"refused sync":      refusedCommits(Fault{Access: Sync, Errno: syscall.EIO}),
	"refused full":      refusedCommits(Fault{Access: Write, Errno: syscall.ENOSPC}),
	"refused read-only": refusedCommits(Fault{Access: Write, Errno: syscall.EROFS}, Fault{Access: Change, Errno: syscall.EROFS}),
	"unreadable":        unreadable,
	"each access":       eachAccess,
}

// faultyBox is the number of an outbox with unsealed records.
const faultyBox = 4

// refusedCommits appends while the disk refuses an access, at once and after some
// accesses have succeeded. Each record that Append confirms must be kept.
func refusedCommits(faults ...Fault) func(folder string) error {
	return func(folder string) error {
		marks, err := OpenMarks(folder)
		if err != nil {
			return err
		}
		path := boxPath(folder, faultyBox)
		w := life{Writer: &Writer{Mark: marks.Mark}, box: faultyBox, path: path}
		var s *store.Store
		err = w.do(Create, 0, func() (err error) {
			s, err = store.Open(path, options(faultyBox))
			return err
		})
		if err != nil {
			return err
		}
		refused := 0
		for pass := range 4 {
			if err := w.appends(s, 2, 9, 9); err != nil {
				return err
			}
			for i := range faults {
				faults[i].Pass = pass
			}
			if err := Refuse(folder, faults...); err != nil {
				return err
			}
			before := s.Position()
			for range 2 {
				switch err := w.appends(s, 1, 9, 9); {
				case errors.Is(err, faults[0].Errno):
					refused++
				case err != nil:
					return err
				default:
					before.Last++
				}
			}
			if s.Position() != before {
				return fmt.Errorf("the outbox stands at %+v, not at %+v", s.Position(), before)
			}
			if _, err := store.Open(path+"2", store.Options{}); pass == 0 && !errors.Is(err, faults[0].Errno) {
				return fmt.Errorf("another outbox is made: %v", err)
			}
			if err := Refuse(folder); err != nil {
				return err
			}
			if _, err := s.Level(); err != nil { // it has come back by itself
				return err
			}
		}
		if refused < 5 {
			return fmt.Errorf("only %d appends were refused", refused)
		}
		return errors.Join(w.appends(s, 2, 9, 9), s.Close())
	}
}

// TestRefusedCommits: while the disk refuses commits, Append fails and uses no number.
// Afterwards it works again. A cut at any moment loses no confirmed record, although
// the page cache holds data that the disk does not have.
func TestRefusedCommits(t *testing.T) {
	for _, name := range []string{"write", "sync", "full", "read-only"} {
		log := record(t, "refused "+name, 0)
		var promises Promises
		random := rand.New(rand.NewPCG(1, 2))
		for n, e := range log.Entries() {
			if e.Mark != nil {
				promises.add(*e.Mark)
			}
			err := log.Cut(n+1, random, func(folder string) error { return Checker{}.Check(folder, promises) })
			if err != nil {
				t.Errorf("%s: cut after %d of %d entries: %v", name, n+1, len(log.Entries()), err)
			}
		}
		if promises.count() < 8 {
			t.Errorf("%s: %d records were promised", name, promises.count())
		}
	}
}

// unreadable makes a record's page unreadable while the outbox is open.
func unreadable(folder string) error {
	path := boxPath(folder, faultyBox)
	s, err := store.Open(path, options(faultyBox))
	if err != nil {
		return err
	}
	for range 20 {
		if _, err := s.Append(chain{box: faultyBox}.seal); err != nil {
			return err
		}
	}
	records, err := s.Records(9, 1)
	if err != nil {
		return err
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	page := int64(bytes.Index(file, records[0].Data)) &^ 4095
	if err := Refuse(folder, Fault{Access: Read, File: filepath.Base(path), From: page, To: page + 4096, Errno: syscall.EIO}); err != nil {
		return err
	}
	if _, err := s.Records(5, 10); !errors.Is(err, store.ErrBroken) {
		return fmt.Errorf("read: %v", err)
	}
	if _, err := s.Append(chain{box: faultyBox}.seal); !errors.Is(err, store.ErrBroken) {
		return fmt.Errorf("append: %v", err)
	}
	if err := s.Close(); err != nil {
		return err
	}

	// The page stays unreadable, and the outbox works without it.
	if _, err := store.Open(path, options(faultyBox)); !errors.Is(err, store.ErrDamaged) || !errors.Is(err, syscall.EIO) {
		return fmt.Errorf("opened again: %v", err)
	}
	salvaged, err := store.Salvage(path, time.Unix(0, 0))
	if err != nil || !slices.Equal(salvaged.Lost, []store.Range{{From: 10, Through: 10}}) {
		return fmt.Errorf("salvaged %+v, %v", salvaged, err)
	}
	if s, err = store.Open(path, options(faultyBox)); err != nil {
		return err
	}
	defer s.Close()
	if records, err = s.Records(0, 99); err != nil || len(records) != 19 || records[9].Sequence != 11 {
		return fmt.Errorf("%d records, %v", len(records), err)
	}
	_, err = s.Append(chain{box: faultyBox}.seal)
	return err
}

// TestUnreadablePage: the process survives and refuses to use the outbox. When the
// outbox is opened again, only the records on the page are lost.
func TestUnreadablePage(t *testing.T) { record(t, "unreadable", 0) }

// eachAccess refuses the accesses of an operation to the disk, the first and all later ones,
// then the second and all later ones, and so on. The operation must fail until it gets as
// many as it needs.
func eachAccess(folder string) error {
	path := boxPath(folder, faultyBox)
	fill := func(path string) error {
		s, err := store.Open(path, store.Options{Keep: 9})
		if err != nil {
			return err
		}
		for range 5 {
			if _, err := s.Append(chain{box: faultyBox}.seal); err != nil {
				return err
			}
		}
		return errors.Join(s.Ack(2), s.Advance(consumer, 1), s.Close())
	}
	opened := func(use func(*store.Store) error) func(path string) func() error {
		return func(path string) func() error {
			s, err := store.Open(path, store.Options{Keep: 9})
			return func() error {
				if err != nil {
					return err
				}
				return errors.Join(use(s), s.Close())
			}
		}
	}
	for _, o := range []struct {
		name                 string
		prepare              func(path string) func() error // returns the operation
		writes, syncs, names int                            // the accesses that it needs
	}{
		{"replace a file", func(path string) func() error {
			return func() error { return atomicfile.Replace(path, []byte("new"), 0o600) }
		}, 1, 2, 2},
		{"create", func(path string) func() error {
			return func() error { _, err := store.Open(path+".other", store.Options{}); return err }
		}, 4, 7, 4},
		{"create records", func(path string) func() error {
			return func() error { _, err := store.OpenRecords(path + ".other"); return err }
		}, 4, 7, 4},
		{"compact", opened(func(s *store.Store) error { return s.Compact(context.Background(), nil) }), 12, 11, 2},
		{"unack", opened(func(s *store.Store) error { return s.Unack(0) }), 2, 2, 0},
		{"dead letter", opened(func(s *store.Store) error { return s.MoveToDeadLetters(4, standIn) }), 3, 2, 0},
		{"begin an epoch", opened(func(s *store.Store) error {
			_, err := s.BeginEpoch("e", chain{box: faultyBox}.seal)
			return err
		}), 3, 2, 0},
		{"salvage", func(path string) func() error {
			return func() error {
				return salvage(path)
			}
		}, 12, 11, 4},
	} {
		for _, a := range []struct {
			access Access
			needed int
		}{{Write, o.writes}, {Sync, o.syncs}, {Change, o.names}} {
			for pass := 0; ; pass++ {
				path := fmt.Sprintf("%s-%s-%s-%d", path, strings.ReplaceAll(o.name, " ", "-"), a.access, pass)
				if err := fill(path); err != nil {
					return err
				}
				operation := o.prepare(path)
				if err := Refuse(folder, Fault{Access: a.access, Pass: pass, Errno: syscall.EIO}); err != nil {
					return err
				}
				err := operation()
				if err := Refuse(folder); err != nil {
					return err
				}
				if err == nil {
					if pass != a.needed {
						return fmt.Errorf("%s succeeds although %s number %d was refused; it needs %d", o.name, a.access, pass+1, a.needed)
					}
					break
				}
			}
		}
	}
	return nil
}

// TestEachRefusedAccess: an operation succeeds only if the disk has confirmed each of its
// accesses.
func TestEachRefusedAccess(t *testing.T) { record(t, "each access", 0) }
