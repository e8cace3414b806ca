package keypad

import (
	"math/bits"
	"time"
)

// A contact that moves bounces: some 5 ms for a fresh switch, more when it is
// worn. A level counts when it was the same in every look for settled, in no
// fewer than looks of them: the second rule is for a machine so busy that two
// looks are far apart.
const (
	settled = 20 * time.Millisecond
	looks   = 3
)

// debouncer makes steady keys of bouncing ones, each key for itself. A set of
// keys is a bit mask by key number.
type debouncer struct {
	steady uint32        // what counts
	since  [32]time.Time // when each key began to differ from it
	same   [32]int       // looks since then, all differing
}

// look takes what the contacts are now and answers which keys went down and
// which went up.
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
