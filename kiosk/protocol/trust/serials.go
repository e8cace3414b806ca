package trust

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// serials is a set of serial numbers: for each the first 8 bytes of its
// SHA-256, sorted. A million of them take 8 MB where the numbers themselves
// would take up to 20. That a number not in the set is taken for one that
// is happens once in 2^64/n looks; it would turn somebody away and let
// nobody in.
type serials []uint64

// mark gives what stands for a serial number, the content octets of its
// INTEGER.
func mark(serial []byte) uint64 {
	sum := sha256.Sum256(serial)
	return binary.BigEndian.Uint64(sum[:])
}

// has tells whether a serial number is in the set, which is sorted.
func (s serials) has(serial []byte) bool {
	_, found := slices.BinarySearch(s, mark(serial))
	return found
}
