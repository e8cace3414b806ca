package keypad

import (
	"math/bits"
	"time"
)

// judge decides which closed contacts count as keys. It has no side effects: time
// and contacts come in, keys and events go out.
//
// A key counts when it is steadily down and no other key is. With two keys down,
// the driver cannot tell which one was meant. With three at the corners of a
// rectangle, a matrix without diodes also shows the fourth (a ghost). A key that
// does not count when it goes down does not count until it was released and
// pressed again. A key held for stuckAfter is stuck: it no longer blocks the
// others.
type judge struct {
	cols       int
	stuckAfter time.Duration

	began bool
	deb   debouncer
	stuck uint32
	since [32]time.Time // when each pressed key went down
}

// heldLong is the time after which a key's release may be noticed some
// milliseconds late. It is longer than anybody holds a key while typing.
const heldLong = time.Second

// verdict is the result of one look.
type verdict struct {
	key      int // the key number that counts, -1 for no key
	released uint32
	rejected bool
	stuck    int // the number of keys that have now become stuck
	freed    bool
	idle     bool // all keys are steadily up: wait for an edge
	slow     bool // only keys that are stuck or held for long are down: slow scanning is enough
}

// look processes the set of contacts that are closed now.
func (j *judge) look(now time.Time, contacts uint32) verdict {
	if !j.began {
		// A key that is down at the start was pressed before the driver ran and
		// does not count.
		j.began = true
		j.deb.steady = contacts
		for i := range j.since {
			j.since[i] = now
		}
	}
	down, up := j.deb.look(now, contacts)
	v := verdict{key: -1, released: up}

	if j.stuck&up != 0 {
		j.stuck &^= up
		v.freed = j.stuck == 0
	}
	for rest := down; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros32(rest)
		j.since[i] = now
		others := (contacts | j.deb.steady) &^ j.stuck
		if several(others|1<<i) || j.ghost(contacts|j.deb.steady, i) {
			v.rejected = true
		} else {
			v.key = i
		}
	}
	fresh := false // a key went down a short time ago
	for rest := j.deb.steady &^ j.stuck; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros32(rest)
		fresh = fresh || now.Sub(j.since[i]) < heldLong
		if now.Sub(j.since[i]) >= j.stuckAfter {
			j.stuck |= 1 << i
			v.stuck++
		}
	}
	v.idle = contacts|j.deb.steady == 0
	v.slow = !v.idle && contacts == j.deb.steady && !fresh
	return v
}

// ghost reports whether key i is a corner of a rectangle of closed contacts. Then
// current may reach it through the other three corners.
func (j *judge) ghost(closed uint32, i int) bool {
	row, col := i/j.cols, i%j.cols
	line := func(r int) uint32 { return closed >> (r * j.cols) & (1<<j.cols - 1) }
	for r := 0; r*j.cols < 32; r++ {
		if r != row && line(r)&(1<<col) != 0 && several(line(r)&line(row)) {
			return true
		}
	}
	return false
}
