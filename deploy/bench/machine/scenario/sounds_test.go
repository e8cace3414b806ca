//go:build linux

package scenario

import (
	"fmt"
	"testing"
	"time"

	"smartkiosk/deploy/bench/machine/hardware"
)

func TestCheckTones(t *testing.T) {
	tones := func(hertz, milliseconds [3]int) (all []hardware.Interval) {
		for i, n := range milliseconds {
			from := time.Duration(i) * time.Second
			all = append(all, hardware.Interval{From: from, To: from + time.Duration(n)*time.Millisecond, Hertz: hertz[i]})
		}
		return all
	}
	pitches, unknown := [3]int{660, 780, 1050}, [3]int{}
	for _, tt := range []struct {
		name  string
		tones []hardware.Interval
		want  string
	}{
		{"as played", tones(pitches, [3]int{90, 90, 450}), ""},
		{"of an active buzzer", tones(unknown, [3]int{91, 100, 475}), ""},
		{"too long", tones(pitches, [3]int{90, 90, 476}), "tone 3 lasts 476ms, want 450ms to 475ms"},
		{"too short", tones(pitches, [3]int{90, 89, 450}), "tone 2 lasts 89ms, want 90ms to 115ms"},
		{"in another order", tones([3]int{780, 660, 1050}, [3]int{90, 90, 450}), "tone 1 has 780 Hz, want 660"},
		{"one is missing", tones(pitches, [3]int{90, 90, 450})[1:], "heard 2 tones, want 3"},
	} {
		got := ""
		if err := checkTones(tt.tones, granting); err != nil {
			got = fmt.Sprint(err)
		}
		if got != tt.want {
			t.Errorf("%s: got error %q, want %q", tt.name, got, tt.want)
		}
	}
}
