//go:build linux

package scenario

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"smartkiosk/deploy/bench/machine/hardware"
)

// note is a tone of what kioskd plays (package frontpanel of cmd/kioskd).
type note struct {
	hertz int
	lasts time.Duration
}

var (
	granting  = []note{{660, 90 * time.Millisecond}, {780, 90 * time.Millisecond}, {1050, 450 * time.Millisecond}}
	attention = []note{{520, 120 * time.Millisecond}, {660, 120 * time.Millisecond}}
)

// tardy is by how much anything may last too long, of the time for which the
// machine runs: it has one processor, and its programs wait for each other.
const tardy = time.Second

// like is an error unless tones are those notes: their order and pitch, and
// each for its time at least, however busy the machine and its host are. What
// they last longer, it must have stood still for, but for tardy: ran tells for
// how much of a time it ran.
func like(tones []hardware.Interval, notes []note, ran func(from, to time.Duration) time.Duration) error {
	if len(tones) != len(notes) {
		return fmt.Errorf("%d tones are heard, not %d", len(tones), len(notes))
	}
	for i, tone := range tones {
		switch took := tone.To - tone.From; {
		case tone.Hertz > 0 && tone.Hertz != notes[i].hertz:
			return fmt.Errorf("tone %d is of %d Hz, not %d", i+1, tone.Hertz, notes[i].hertz)
		case took < notes[i].lasts:
			return fmt.Errorf("tone %d lasts %v, not %v", i+1, took, notes[i].lasts)
		case ran(tone.From, tone.To) > notes[i].lasts+tardy:
			return fmt.Errorf("tone %d lasts %v, not %v, in a machine that ran for %v of it", i+1, took, notes[i].lasts, ran(tone.From, tone.To))
		}
	}
	return nil
}

// hears waits until the buzzer has been quiet for a while, and tells what it
// sounded like since the last time.
func (k *kiosk) hears() []hardware.Interval {
	const quiet = 300 * time.Millisecond
	limit := time.After(patience)
	for still := false; !still || k.Buzzer.On(); {
		changed := k.Buzzer.Changed()
		select {
		case <-limit:
			k.must(errors.New("the buzzer does not fall silent"))
		case <-changed:
			still = false
		case <-time.After(quiet):
			still = true
		}
	}
	all := k.Buzzer.Times()
	tones := all[k.heard:]
	k.heard = len(all)
	words := make([]string, len(tones))
	for i, tone := range tones {
		words[i] = fmt.Sprintf("%d ms", (tone.To - tone.From).Milliseconds())
		if tone.Hertz > 0 {
			words[i] += fmt.Sprintf(" of %d Hz", tone.Hertz)
		}
	}
	k.report.line("person", "hears %s", strings.Join(words, ", "))
	return tones
}
