//go:build linux

package scenario

import (
	"fmt"
	"testing"
	"time"

	"smartkiosk/deploy/bench/machine/hardware"
)

func TestLike(t *testing.T) {
	const ms = time.Millisecond
	tones := func(hertz, lasts [3]int) (all []hardware.Interval) {
		for i, n := range lasts {
			from := time.Duration(i) * time.Second
			all = append(all, hardware.Interval{From: from, To: from + time.Duration(n)*ms, Hertz: hertz[i]})
		}
		return all
	}
	pitches, none := [3]int{660, 780, 1050}, [3]int{}
	runs := func(from, to time.Duration) time.Duration { return to - from }
	stood := func(from, to time.Duration) time.Duration { return (to - from) / 5 }
	for _, tt := range []struct {
		name  string
		tones []hardware.Interval
		ran   func(from, to time.Duration) time.Duration
		want  string
	}{
		{"as played", tones(pitches, [3]int{90, 90, 450}), runs, ""},
		{"without pitches", tones(none, [3]int{91, 130, 460}), runs, ""},
		{"in a machine that stood still", tones(none, [3]int{1534, 90, 4000}), stood, ""},
		{"in none that did", tones(none, [3]int{1534, 90, 450}), runs, "tone 1 lasts 1.534s, not 90ms, in a machine that ran for 1.534s of it"},
		{"for longer than that", tones(none, [3]int{90, 90, 8000}), stood, "tone 3 lasts 8s, not 450ms, in a machine that ran for 1.6s of it"},
		{"too short", tones(pitches, [3]int{90, 89, 450}), stood, "tone 2 lasts 89ms, not 90ms"},
		{"in another order", tones([3]int{780, 660, 1050}, [3]int{90, 90, 450}), runs, "tone 1 is of 780 Hz, not 660"},
		{"one too few", tones(pitches, [3]int{90, 90, 450})[1:], runs, "2 tones are heard, not 3"},
	} {
		got := ""
		if err := like(tt.tones, granting, tt.ran); err != nil {
			got = fmt.Sprint(err)
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
