//go:build linux

package scenario

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"smartkiosk/deploy/bench/machine/hardware"
)

// note is a tone of what kioskd plays (package frontpanel).
type note struct {
	hertz int
	lasts time.Duration
}

var (
	granting  = []note{{660, 90 * time.Millisecond}, {780, 90 * time.Millisecond}, {1050, 450 * time.Millisecond}}
	attention = []note{{520, 120 * time.Millisecond}, {660, 120 * time.Millisecond}}
)

// tolerance is how much longer than stated a tone or an opening may last. An HD44780
// on GPIO lines keeps the processor busy for some milliseconds while it is written.
const tolerance = 25 * time.Millisecond

// checkTones returns an error unless the tones have the pitches, the durations
// and the order of notes. The pitch of an active buzzer is not known.
func checkTones(tones []hardware.Interval, notes []note) error {
	if len(tones) != len(notes) {
		return fmt.Errorf("heard %d tones, want %d", len(tones), len(notes))
	}
	for i, tone := range tones {
		want := notes[i]
		if tone.Hertz > 0 && tone.Hertz != want.hertz {
			return fmt.Errorf("tone %d has %d Hz, want %d", i+1, tone.Hertz, want.hertz)
		}
		if took := tone.To - tone.From; took < want.lasts || took > want.lasts+tolerance {
			return fmt.Errorf("tone %d lasts %v, want %v to %v", i+1, took, want.lasts, want.lasts+tolerance)
		}
	}
	return nil
}

// hears waits until the buzzer has been quiet for a while, and returns the
// tones since the last call.
func (k *kiosk) hears() []hardware.Interval {
	const quiet = 300 * time.Millisecond
	limit := time.After(patience)
	for still := false; !still || k.Buzzer.On(); {
		changed := k.Buzzer.Changed()
		select {
		case <-limit:
			k.must(errors.New("the buzzer does not stop"))
		case <-changed:
			still = false
		case <-time.After(quiet):
			still = true
		}
	}
	all := k.Buzzer.Times()
	tones := all[k.tonesHeard:]
	k.tonesHeard = len(all)
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
