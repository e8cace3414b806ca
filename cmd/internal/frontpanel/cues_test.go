package frontpanel

import (
	"testing"
	"time"

	"smartkiosk/device/board"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/screen"
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

// TestConfiguredCues uses the tunes and lamps of the board file, and the built-in ones
// for what it does not set.
func TestConfiguredCues(t *testing.T) {
	cues := board.Cues{"granted": {Notes: [][2]int{{500, 100}}, Lamp: "yellow"}, "denied": {Lamp: "none"}}
	b, l := newBuzzer(cues), newLamps(cues)
	if got := b.tune(kiosk.CueGranted); len(got) != 1 || got[0] != tone(500, 100) {
		t.Errorf("granted sounds %v", got)
	}
	if got := b.tune(kiosk.CueDenied); len(got) != len(tunes[kiosk.CueDenied]) {
		t.Errorf("denied sounds %v", got)
	}
	for tone, want := range map[string]string{"good": "yellow", "bad": "none", "attention": "yellow", "busy": "yellow", "neutral": ""} {
		if got := l.lamp(tone); got != want {
			t.Errorf("%s lights %q, want %q", tone, got, want)
		}
	}
}

// TestWrongPINLooksLikeDenial: a bystander cannot tell a wrong PIN from a person who has
// no access, neither by the lamp nor by the sound (which Step plays: CueDenied for both).
func TestWrongPINLooksLikeDenial(t *testing.T) {
	texts, err := screen.Load()
	if err != nil {
		t.Fatal(err)
	}
	lamp := func(s kiosk.Screen) string { return newLamps(nil).lamp(texts.Frame(s).Tone) }
	denied := lamp(kiosk.Screen{ID: kiosk.ScreenDenied, Reason: kiosk.NotAllowed})
	for _, s := range []kiosk.Screen{
		{WrongPIN: true}, {WrongPIN: true, Tries: 2, TriesKnown: true}, {WrongPIN: true, Tries: 1, TriesKnown: true}, {WrongPIN: true, OnReader: true},
	} {
		if s.ID = kiosk.ScreenPIN; lamp(s) != denied {
			t.Errorf("%+v lights %q, a denial %q", s, lamp(s), denied)
		}
	}
}
