package store

import (
	"fmt"
	"os"
)

// Inspection describes an outbox file that was read without being opened.
type Inspection struct {
	Position
	Lost   []Range // records that should be in the file and cannot be read
	Damage error   // the error that Open would return, or nil
}

// Inspect reads an outbox file, such as a copy, even if it is damaged. It calls
// each with every readable record, in order. It changes nothing and takes no
// lock, so it may see half of a commit in a file that is in use. It fails with
// ErrNoTrace when the file has no readable tail.
func Inspect(path string, each func(Record) error) (Inspection, error) {
	x, err := inspect(path, each)
	if err != nil {
		return Inspection{}, fmt.Errorf("cannot inspect outbox %s: %w", path, err)
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
		link, record, err := decodeEntry(seq, entry)
		if err != nil {
			return x, err
		}
		if len(record) == 0 {
			continue
		}
		if err := each(Record{Sequence: seq, Link: link, Data: record}); err != nil {
			return x, err
		}
	}
	return x, nil
}
