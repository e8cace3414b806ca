package cuts

import (
	"encoding/gob"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// Log is the Recording of a folder. A cut treats what was not synced like this:
//
//   - Each write to a file is lost, kept or torn, in any order.
//   - Changes of the folder (creating, renaming and removing names) are kept up
//     to some moment, because file systems keep a journal of them. This is
//     independent of the files' content.
type Log struct{ operations []operation }

// operation is an entry of the log.
type operation struct {
	Mark    *Mark // if not nil, the other fields are unused
	Kind    kind
	File    int    // the file's number; its name may change
	At      int64  // the offset of a write, the size of a truncation
	Data    []byte // of a write
	Name    string // of a change of the folder
	NewName string // of a renaming
}

type kind int

const (
	write kind = iota
	truncate
	syncFile
	link // gives a file a name; there is no file without one
	unlink
	rename
	syncFolder
	failSync // of a file: the writes since the last sync are lost
)

// sector is what a disk writes whole or not at all, in bytes.
const sector = 512

func (l *Log) add(op operation) { l.operations = append(l.operations, op) }

// Save writes the log to a file.
func (l *Log) Save(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(gob.NewEncoder(f).Encode(l.operations), f.Close())
}

// LoadLog reads what Save wrote.
func LoadLog(path string) (*Log, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	l := new(Log)
	if err := gob.NewDecoder(f).Decode(&l.operations); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return l, nil
}

// Entries implements Recording.
func (l *Log) Entries() []Entry {
	entries := make([]Entry, len(l.operations))
	for i, op := range l.operations {
		entries[i].Mark = op.Mark
	}
	return entries
}

// Cut implements Recording. The folder is a temporary one, and removed again.
func (l *Log) Cut(n int, random *rand.Rand, f func(folder string) error) error {
	d := disk{names: map[string]int{}, files: map[int][]byte{}}
	for _, op := range l.operations[:n] {
		d.do(op)
	}
	d.cut(random)
	folder, err := os.MkdirTemp("", "powercut-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	paths := map[int]string{}
	for name, number := range d.names {
		path := filepath.Join(folder, name)
		if first, ok := paths[number]; ok {
			err = os.Link(first, path)
		} else {
			err = os.WriteFile(path, d.files[number], 0o600)
		}
		if err != nil {
			return err
		}
		paths[number] = path
	}
	return f(folder)
}

// safe returns the content that the disk has of a file after a failed sync.
func (l *Log) safe(file int) []byte {
	d := disk{names: map[string]int{}, files: map[int][]byte{}}
	for _, op := range l.operations {
		d.do(op)
	}
	d.settle(func(p operation) bool { return p.File == file })
	return d.files[file]
}

// disk is the synced content of a folder and the pending operations.
type disk struct {
	names   map[string]int
	files   map[int][]byte
	pending []operation
}

func (d *disk) do(op operation) {
	switch {
	case op.Mark != nil:
	case op.Kind == syncFile:
		d.settle(func(p operation) bool { return !p.ofFolder() && p.File == op.File })
	case op.Kind == failSync:
		d.pending = slices.DeleteFunc(d.pending, func(p operation) bool { return p.Kind == write && p.File == op.File })
	case op.Kind == syncFolder:
		d.settle(operation.ofFolder)
	default:
		d.pending = append(d.pending, op)
	}
}

// settle applies the pending operations for which meant returns true.
func (d *disk) settle(meant func(operation) bool) {
	rest := d.pending[:0]
	for _, op := range d.pending {
		if meant(op) {
			d.apply(op)
		} else {
			rest = append(rest, op)
		}
	}
	d.pending = rest
}

// cut applies what a cut may leave of the pending operations.
func (d *disk) cut(random *rand.Rand) {
	ofFolder := 0
	for _, op := range d.pending {
		if op.ofFolder() {
			ofFolder++
		}
	}
	kept := random.IntN(ofFolder + 1)
	for _, op := range d.pending {
		switch {
		case op.ofFolder():
			if kept--; kept >= 0 {
				d.apply(op)
			}
		case op.Kind == write && random.IntN(4) == 0:
			for _, torn := range op.tear(random) {
				d.apply(torn)
			}
		case random.IntN(2) == 0:
			d.apply(op)
		}
	}
}

func (d *disk) apply(op operation) {
	switch op.Kind {
	case link:
		d.names[op.Name] = op.File
	case unlink:
		delete(d.names, op.Name)
	case rename:
		d.names[op.NewName] = d.names[op.Name]
		delete(d.names, op.Name)
	default:
		d.files[op.File] = op.apply(d.files[op.File])
	}
}

func (op operation) ofFolder() bool {
	return op.Kind == link || op.Kind == unlink || op.Kind == rename
}

// apply applies the operation to a file's data.
func (op operation) apply(data []byte) []byte {
	end := op.At + int64(len(op.Data))
	if missing := end - int64(len(data)); missing > 0 {
		data = append(data, make([]byte, missing)...)
	}
	if op.Kind == truncate {
		return data[:op.At:op.At]
	}
	copy(data[op.At:], op.Data)
	return data
}

// tear returns some sectors of a write.
func (op operation) tear(random *rand.Rand) (torn []operation) {
	for from := int64(0); from < int64(len(op.Data)); {
		to := min(from+sector-(op.At+from)%sector, int64(len(op.Data)))
		if random.IntN(2) == 0 {
			part := op
			part.At, part.Data = op.At+from, op.Data[from:to]
			torn = append(torn, part)
		}
		from = to
	}
	return torn
}
