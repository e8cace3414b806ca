package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Record is one of the outbox's records. It is an alias so that a package
// that does not import this one can name the same type.
type Record = struct {
	Sequence uint64
	Data     []byte
}

// LinkSize is the size in bytes of the links between records.
const LinkSize = 32

// An entry is a record as it is kept:
//
//	digest 32 bytes | link 32 bytes | record
//
// The digest, a SHA-256 over sequence, link and record, tells damage and
// misplacement: bbolt has no checksum over its data. It guards against
// accidents; against forgery the records must guard themselves.
const entryHead = sha256.Size + LinkSize

func key(sequence uint64) []byte { return binary.BigEndian.AppendUint64(nil, sequence) }

func sequence(key []byte) uint64 { return binary.BigEndian.Uint64(key) }

func encodeEntry(sequence uint64, link, record []byte) []byte {
	b := make([]byte, sha256.Size, entryHead+len(record))
	b = append(append(b, link...), record...)
	sum := digest(sequence, b[sha256.Size:])
	copy(b, sum[:])
	return b
}

// decodeEntry gives what encodeEntry took, without copying, or ErrDamaged.
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

func writeTail(tx *bolt.Tx, t tail) error {
	return tx.Bucket(metaBucket).Put(tailKey, append(key(t.sequence), t.link...))
}

func readTail(tx *bolt.Tx) (tail, error) {
	v := tx.Bucket(metaBucket).Get(tailKey)
	switch {
	case len(v) == 8 && sequence(v) == 0:
		return tail{}, nil
	case len(v) == 8+LinkSize:
		return tail{sequence: sequence(v), link: bytes.Clone(v[8:])}, nil
	}
	return tail{}, fmt.Errorf("%w: tail", ErrDamaged)
}
