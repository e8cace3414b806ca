package store

import (
	"bytes"
	"errors"
	"slices"
	"testing"
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
