package board

import (
	"slices"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/physic"

	"smartkiosk/device/cue"
)

// TestCues reads cues of a board file, and refuses those from which a bystander could
// learn why a person is not let in.
func TestCues(t *testing.T) {
	const head = "name = \"test\"\n[lamps]\ngreen = \"GPIO17\"\nred = \"GPIO22\"\n"
	const denied = "[cues.denied]\nnotes = [[330, 450], [0, 150], [220, 700]]\nlamp = \"red\"\n"
	const granted = "[cues.granted]\nnotes = [[660, 90], [0, 50], [1050, 450]]\nlamp = \"green\"\n"
	b, err := Parse(head + denied + granted + strings.Replace(denied, "denied", "wrong-pin", 1))
	if err != nil {
		t.Fatal(err)
	}
	want := []cue.Note{{Pitch: 660 * physic.Hertz, For: 90 * time.Millisecond}, {For: 50 * time.Millisecond}, {Pitch: 1050 * physic.Hertz, For: 450 * time.Millisecond}}
	if got := b.Cues.Tune("granted"); !slices.Equal(got, want) || b.Cues.Lamp("granted") != "green" || b.Cues.Tune("key") != nil || b.Cues.Lamp("key") != "" {
		t.Errorf("read %v, %v", got, b.Cues)
	}
	for name, c := range map[string]struct{ text, want string }{
		"other tune":          {denied + "[cues.wrong-pin]\nnotes = [[330, 450]]\nlamp = \"red\"\n", "[cues.wrong-pin] differs from [cues.denied]: a bystander could tell"},
		"other lamp":          {denied + strings.NewReplacer("denied", "wrong-pin", `"red"`, `"yellow"`).Replace(denied), "[cues.wrong-pin] differs from [cues.denied]"},
		"wrong PIN alone":     {strings.Replace(denied, "denied", "wrong-pin", 1), "[cues.wrong-pin] differs from [cues.denied]"},
		"same rhythm":         {granted + "[cues.denied]\nnotes = [[220, 90], [0, 50], [330, 450]]\n", "have the same rhythm"},
		"same lamp":           {strings.Replace(denied, "red", "green", 1) + granted, `both have the lamp "green"`},
		"unknown":             {"[cues.welcome]\nlamp = \"green\"\n", "[cues.welcome] is no cue: write one of [attention denied granted key"},
		"no notes":            {"[cues.key]\nnotes = []\n", "[cues.key] notes is empty"},
		"too high":            {"[cues.key]\nnotes = [[9000, 10]]\n", "[cues.key] notes: [9000, 10] is not a pitch"},
		"no time":             {"[cues.key]\nnotes = [[900, 0]]\n", "[cues.key] notes: [900, 0] is not a pitch"},
		"too long":            {"[cues.key]\nnotes = [[900, 2000], [900, 1001]]\n", "[cues.key] notes last 3.001s: at most 3s"},
		"unknown lamp":        {"[cues.granted]\nlamp = \"blue\"\n", `[cues.granted] lamp = "blue": write green`},
		"lamp of a key":       {"[cues.key]\nlamp = \"green\"\n", "[cues.key] lamp: this cue has none"},
		"not a pair of notes": {"[cues.key]\nnotes = [[900]]\n", "cues"},
	} {
		if _, err := Parse(head + c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}
