package keypad

import (
	"math/bits"
	"time"
)

// A moving contact bounces: for about 5 ms when the switch is new, for longer
// when it is worn. A level counts when it was the same in every look for the time
// settled, and in at least looks looks. The second rule is for a machine that is
// so busy that two looks are far apart.
const (
	settled = 20 * time.Millisecond
	looks   = 3
)

// debouncer debounces each key independently. A set of keys is a bit mask by key
// number.
type debouncer struct {
	steady uint32        // the debounced keys
	since  [32]time.Time // when each key began to differ from steady
	same   [32]int       // the number of looks since then, which all differed
}

// look processes the contacts that are closed now. It returns the keys that went
// down and those that went up.
func (d *debouncer) look(now time.Time, contacts uint32) (down, up uint32) {
	differ := contacts ^ d.steady
	for i := range d.same {
		bit := uint32(1) << i
		if differ&bit == 0 {
			d.same[i] = 0
			continue
		}
		if d.same[i] == 0 {
			d.since[i] = now
		}
		d.same[i]++
		if d.same[i] < looks || now.Sub(d.since[i]) < settled {
			continue
		}
		d.same[i] = 0
		d.steady ^= bit
		if contacts&bit != 0 {
			down |= bit
		} else {
			up |= bit
		}
	}
	return down, up
}

func several(keys uint32) bool { return bits.OnesCount32(keys) > 1 }
