package store

import (
	"fmt"
	"os"
)

// Inspection is what a file of an outbox holds, read without opening it.
type Inspection struct {
	Position
	Lost   []Range // records that should be there and cannot be read
	Damage error   // why Open would not take the file, nil if it would
}

// Examine reads a file, such as a copy, as far as it can be read, sound or
// damaged, and gives each with its records in order. It changes nothing and
// takes no lock; of a file that is being written to it may see a part. When
// nothing says where the outbox stood it fails with ErrNoTrace.
func Inspect(path string, each func(Record) error) (Inspection, error) {
	x, err := inspect(path, each)
	if err != nil {
		return Inspection{}, fmt.Errorf("cannot examine outbox %s: %w", path, err)
	}
	return x, nil
}

func inspect(path string, each func(Record) error) (Inspection, error) {
	f, err := os.Open(path)
	if err != nil {
		return Inspection{}, err
	}
	defer f.Close()
	im, err := newImage(f)
	if err != nil {
		return Inspection{}, err
	}
	found := im.scan()
	if found.tail.first == 0 {
		return Inspection{}, ErrNoTrace
	}
	x := Inspection{
		Position: Position{First: found.tail.first, Acked: found.tail.acked, Last: found.newest()},
		Lost:     found.lost(),
		Damage:   check(path),
	}
	for seq := x.First; seq <= x.Last; seq++ {
		at, there := found.entries[seq]
		if !there {
			continue
		}
		entry, err := found.read(im, at, seq)
		if err != nil {
			return x, err
		}
		_, record, err := decodeEntry(seq, entry)
		if err != nil {
			return x, err
		}
		if err := each(Record{Sequence: seq, Data: record}); err != nil {
			return x, err
		}
	}
	return x, nil
}
