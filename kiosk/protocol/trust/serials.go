package trust

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// serials is a sorted set of serial numbers. It stores the first 8 bytes of the
// SHA-256 of each number, so a million numbers take 8 MB instead of up to 20
// MB. For a set of n numbers, a lookup finds a number by mistake with
// probability n/2^64. Such a mistake refuses a valid certificate; it never
// accepts a revoked one.
type serials []uint64

// mark returns the value that serials stores for a serial number, which is
// given as the content octets of its INTEGER.
func mark(serial []byte) uint64 {
	sum := sha256.Sum256(serial)
	return binary.BigEndian.Uint64(sum[:])
}

// has reports whether the set contains a serial number (content octets).
func (s serials) has(serial []byte) bool {
	_, found := slices.BinarySearch(s, mark(serial))
	return found
}
