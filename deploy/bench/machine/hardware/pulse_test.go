//go:build linux

package hardware

import (
	"testing"
	"time"
)

func TestRan(t *testing.T) {
	const ms = time.Millisecond
	p := Pulse{beats: []time.Duration{100 * ms, 110 * ms, 121 * ms, 500 * ms, 510 * ms}} // it stood still from 121 on
	for _, tt := range []struct{ from, to, want time.Duration }{
		{100, 510, 51},
		{105, 115, 10},
		{0, 1000, 51}, // no longer than it was taken
		{130, 490, 20},
		{130, 140, 10},
		{600, 700, 0},
	} {
		if got := p.Ran(tt.from*ms, tt.to*ms); got != tt.want*ms {
			t.Errorf("from %d to %d ms it ran for %v, not %d ms", tt.from, tt.to, got, tt.want)
		}
	}
}
