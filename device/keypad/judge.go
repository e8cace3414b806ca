package keypad

import (
	"math/bits"
	"time"
)

// judge decides which contacts are keys that somebody meant. It is pure: time
// and contacts come in, keys and events go out.
//
// A key is taken when it is steadily down and nothing else is: with two down
// nobody can tell which was meant, and with three at the corners of a rectangle
// the matrix, having no diodes, shows the fourth as well (a ghost). What is not
// taken when it goes down is never taken before it was let go. A key held for
// stuckAfter is stuck: it no longer stands in the way of the others.
type judge struct {
	cols       int
	stuckAfter time.Duration

	began bool
	deb   debouncer
	stuck uint32
	since [32]time.Time // when each key that is down went down
}

// heldLong is how long a key is held before its release may be noticed some
// milliseconds later. It is longer than anybody holds a key while typing.
const heldLong = time.Second

// verdict is what came of one look.
type verdict struct {
	key      int // the key number taken, -1 for none
	released uint32
	rejected bool
	stuck    int // how many keys have now become stuck
	freed    bool
	idle     bool // all is up and steady: nobody need look until an edge
	slow     bool // only keys that are held for long or stuck are down: scanning slowly is enough
}

// look takes the contacts that are closed now.
func (j *judge) look(now time.Time, contacts uint32) verdict {
	if !j.began {
		// What is down when a keypad is found was not pressed for us.
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

// ghost tells whether key i is a corner of a rectangle of closed contacts: then
// current may reach it by way of the other three.
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
