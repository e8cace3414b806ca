package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// Record is a record of the outbox.
type Record struct {
	Sequence uint64
	Link     []byte // as Append got it
	Data     []byte
}

// LinkSize is the size of the links between records, in bytes.
const LinkSize = 32

// An entry is a record as it is stored:
//
//	digest 32 bytes | link 32 bytes | record
//
// The digest is a SHA-256 over sequence, link and record. It detects damaged
// and misplaced records; bbolt has no checksum over its data. It does not
// protect against forgery: the records must do that themselves.
const entryHead = sha256.Size + LinkSize

func key(sequence uint64) []byte { return binary.BigEndian.AppendUint64(nil, sequence) }

func sequence(key []byte) uint64 { return binary.BigEndian.Uint64(key) }

func encodeEntry(sequence uint64, link, record []byte) []byte {
	return appendEntry(make([]byte, 0, entryHead+len(record)), sequence, link, record)
}

// appendEntry adds an entry to b.
func appendEntry(b []byte, sequence uint64, link, record []byte) []byte {
	begin, none := len(b), [sha256.Size]byte{}
	b = append(append(append(b, none[:]...), link...), record...)
	sum := digest(sequence, b[begin+sha256.Size:])
	copy(b[begin:], sum[:])
	return b
}

// decodeEntry splits an entry into link and record, without copying them. It
// fails with ErrDamaged if the digest does not match.
func decodeEntry(sequence uint64, entry []byte) (link, record []byte, err error) {
	if len(entry) < entryHead {
		return nil, nil, fmt.Errorf("%w: record %d", ErrDamaged, sequence)
	}
	sum := digest(sequence, entry[sha256.Size:])
	if !bytes.Equal(sum[:], entry[:sha256.Size]) {
		return nil, nil, fmt.Errorf("%w: record %d", ErrDamaged, sequence)
	}
	return entry[sha256.Size:entryHead], entry[entryHead:], nil
}

func digest(sequence uint64, rest []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(key(sequence))
	h.Write(rest)
	h.Sum(sum[:0])
	return sum
}

// tail is the outbox's state: the newest record and the range that is kept.
type tail struct {
	sequence uint64 // of the newest record, 0 before the first
	link     []byte // its link, nil before the first
	first    uint64 // the oldest record in the file, sequence+1 when there is no record
	acked    uint64 // the newest acknowledged record, 0 before the first acknowledgement
	epoch    Epoch
	commit   uint64 // number of the commit that wrote the tail; 0 in format 2 and older
	notes    []string
}

// Epoch is one life of an outbox: see BeginEpoch. Outboxes of format 2 and older
// had no epochs; their epoch has no ID and begins with record 1.
type Epoch struct {
	ID    string // at most maxEpochID bytes
	First uint64 // sequence number of the epoch's first record in the outbox
}

const (
	maxEpochID = 64
	maxNote    = 128
	maxNotes   = 8
)

// newer reports whether t is from a later commit than u. A commit that failed may
// be on disk, and then the next one has the same number. Of two such tails, the one
// is newer after which more was appended or, with the same newest record, more was
// deleted or acknowledged.
func (t tail) newer(u tail) bool {
	if t.commit != u.commit {
		return t.commit > u.commit
	}
	if t.sequence != u.sequence {
		return t.sequence > u.sequence
	}
	return t.first+t.acked > u.first+u.acked
}

// encodeTail returns the sequence number and an entry whose record holds first,
// acked, the commit, the epoch and, each after a NUL, the notes. Its digest
// distinguishes a tail from any other bytes. Format 1 had no acked, because
// acknowledged records were deleted at once. Format 2 had neither commit nor epoch.
// Older programs of format 3 do not know notes. They can open a file that has none.
func encodeTail(t tail) []byte {
	link := t.link
	if link == nil {
		link = make([]byte, LinkSize)
	}
	text := strings.Join(slices.Concat([]string{t.epoch.ID}, t.notes), "\x00")
	return append(key(t.sequence), encodeEntry(t.sequence, link, slices.Concat(key(t.first), key(t.acked), key(t.commit), key(t.epoch.First), []byte(text)))...)
}

func decodeTail(b []byte) (tail, error) {
	bad := fmt.Errorf("%w: tail", ErrDamaged)
	if len(b) < 8 {
		return tail{}, bad
	}
	t := tail{sequence: sequence(b)}
	link, rest, err := decodeEntry(t.sequence, b[8:])
	if err != nil || len(rest) != 8 && len(rest) != 16 && len(rest) < 32 {
		return tail{}, bad
	}
	t.first = sequence(rest)
	t.acked = t.first - 1
	if len(rest) >= 16 {
		t.acked = sequence(rest[8:])
	}
	t.epoch = Epoch{First: 1}
	if len(rest) >= 32 {
		t.commit = sequence(rest[16:])
		texts := strings.Split(string(rest[32:]), "\x00")
		t.epoch, t.notes = Epoch{ID: texts[0], First: sequence(rest[24:])}, texts[1:]
	}
	if len(t.epoch.ID) > maxEpochID || len(t.notes) > maxNotes || slices.ContainsFunc(t.notes, func(n string) bool { return !validNote(n) }) {
		return tail{}, bad
	}
	if t.epoch.First == 0 || t.epoch.First > t.sequence+1 || t.first == 0 || t.first > t.acked+1 || t.acked > t.sequence {
		return tail{}, bad
	}
	if !bytes.Equal(link, make([]byte, LinkSize)) {
		t.link = bytes.Clone(link)
	}
	return t, nil
}

func writeTail(tx *bolt.Tx, t tail) error { return tx.Bucket(metaBucket).Put(tailKey, encodeTail(t)) }

func readTail(tx *bolt.Tx) (tail, error) { return decodeTail(tx.Bucket(metaBucket).Get(tailKey)) }
