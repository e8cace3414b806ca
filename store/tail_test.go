package store

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// The tail has one of the lengths that a format gave it. Any other length is damage, also
// when the checksum is right.
func TestTailLengths(t *testing.T) {
	whole := slices.Concat(key(1), key(0), key(7), key(1), bytes.Repeat([]byte("e"), maxEpochID+1))
	for n := range len(whole) + 1 {
		text := append(key(3), encodeEntry(3, make([]byte, LinkSize), whole[:n])...)
		_, err := decodeTail(text)
		right := n == 8 || n == 16 || n >= 32 && n <= 32+maxEpochID
		if right && err != nil || !right && !errors.Is(err, ErrDamaged) {
			t.Errorf("a tail of %d bytes behind the link: %v", n, err)
		}
	}
	for _, text := range [][]byte{nil, key(3)[:7], key(3)} {
		if _, err := decodeTail(text); !errors.Is(err, ErrDamaged) {
			t.Errorf("a tail of %d bytes: %v", len(text), err)
		}
	}
}

// The numbers of a tail fit together, or the tail is damaged.
func TestTailNumbers(t *testing.T) {
	whole := tail{sequence: 9, link: make([]byte, LinkSize), first: 3, acked: 5, epoch: Epoch{ID: "e", First: 4}, commit: 7}
	for name, c := range map[string]struct {
		change func(*tail)
		right  bool
	}{
		"as it is":                   {func(t *tail) {}, true},
		"all acknowledged":           {func(t *tail) { t.acked = 9 }, true},
		"more than all acknowledged": {func(t *tail) { t.acked = 10 }, false},
		"none acknowledged":          {func(t *tail) { t.acked = 2 }, true},
		"deleted before that":        {func(t *tail) { t.acked = 1 }, false},
		"no record kept":             {func(t *tail) { t.first, t.acked = 10, 9 }, true},
		"no first record":            {func(t *tail) { t.first, t.acked = 0, 0 }, false},
		"epoch of the next record":   {func(t *tail) { t.epoch.First = 10 }, true},
		"epoch of a later record":    {func(t *tail) { t.epoch.First = 11 }, false},
		"epoch without a record":     {func(t *tail) { t.epoch.First = 0 }, false},
	} {
		want := whole
		c.change(&want)
		got, err := decodeTail(encodeTail(want))
		if len(got.notes) == 0 {
			got.notes = nil
		}
		if c.right {
			want.link = nil // no link is stored as zeros
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v, %v, not %+v", name, got, err, want)
			}
		} else if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// Of two tails, the one of the later commit is newer. A failed commit and the next one have
// the same number.
func TestNewerTailOfTwo(t *testing.T) {
	order := []tail{
		{commit: 1, sequence: 9, first: 9, acked: 9},
		{commit: 2, sequence: 3, first: 1, acked: 0},
		{commit: 2, sequence: 3, first: 1, acked: 1},
		{commit: 2, sequence: 3, first: 2, acked: 1},
		{commit: 2, sequence: 4, first: 1, acked: 0},
		{commit: 3, sequence: 4, first: 1, acked: 0},
	}
	for i, a := range order {
		for j, b := range order {
			if a.newer(b) != (i > j) {
				t.Errorf("%+v is newer than %+v: %v", a, b, a.newer(b))
			}
		}
	}
}

// What writes to the database returns its errors.
func TestReadOnlyTransaction(t *testing.T) {
	s := openWith(t, outbox(t), Options{})
	add(t, s, "a")
	for name, write := range map[string]func(*bolt.Tx) error{
		"entry":          func(tx *bolt.Tx) error { return putEntry(tx, 2, []byte("x")) },
		"deletion":       func(tx *bolt.Tx) error { return deleteRange(tx, 1, 1) },
		"later deletion": func(tx *bolt.Tx) error { return deleteAfter(tx, 0) },
		"cursor":         func(tx *bolt.Tx) error { return writeCursors(tx, map[string]uint64{"c": 1}) },
		"tail":           func(tx *bolt.Tx) error { return writeTail(tx, s.last) },
		"format 1":       migrations[0], "format 3": migrations[2],
		"records 1": recordsMigrations[0], "records 2": recordsMigrations[1],
	} {
		if err := s.view(write); !errors.Is(err, bolterrors.ErrTxNotWritable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
