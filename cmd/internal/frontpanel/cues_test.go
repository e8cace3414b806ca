package frontpanel

import (
	"testing"
	"time"
)

// A person who cannot see must tell the cues apart on a buzzer with one pitch, by the
// number of tones and by which of them are long.
func TestRhythms(t *testing.T) {
	heard := map[string]string{}
	for cue, tune := range tunes {
		rhythm := ""
		for _, note := range tune {
			switch {
			case note.Pitch == 0:
			case note.For < 50*time.Millisecond:
				rhythm += "'"
			case note.For <= 150*time.Millisecond:
				rhythm += "."
			case note.For >= 250*time.Millisecond:
				rhythm += "-"
			default:
				t.Errorf("%s: a note of %v is neither short nor long", cue, note.For)
			}
		}
		if other, taken := heard[rhythm]; taken || rhythm == "" {
			t.Errorf("%s sounds %q, the same as %q", cue, rhythm, other)
		}
		heard[rhythm] = string(cue)
	}
}
