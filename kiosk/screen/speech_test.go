package screen

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"smartkiosk/kiosk"
)

// unspeakable finds what an engine would not read as a person does: signs, addresses,
// and abbreviations.
var unspeakable = regexp.MustCompile(`[^\p{L}\d .,:?!]|\p{L}\.\p{L}|(?i)\b(pin|puk|min\.|max\.|kl\.|nr\.|gč\.|ok)\b`)

// TestSpoken writes what is said about every screen into golden files, and checks that
// it is whole, that an engine can read it, and that it names no person.
func TestSpoken(t *testing.T) {
	c := catalogue(t)
	for _, l := range c.languages {
		var b strings.Builder
		for _, s := range situations(t) {
			s.Language, s.Speech = l.Tag, true
			for _, ok := range []string{Hash, Enter, HashOrEnter} {
				said := c.Spoken(s, ok)
				if said.Text == "" || said.Voice == "" {
					t.Errorf("%s %s: nothing is said: %+v", l.Tag, situationOf(s), said)
				}
				for _, text := range []string{said.Text, said.Notice, said.Entry} {
					if wrong := unspeakable.FindString(text); wrong != "" {
						t.Errorf("%s %s: %q cannot be read aloud in %q", l.Tag, situationOf(s), wrong, text)
					}
				}
				if strings.Contains(said.Text, "Solveig") {
					t.Errorf("%s %s: bystanders hear the name in %q", l.Tag, situationOf(s), said.Text)
				}
				if s.TakesPIN() != (said.Entry != "") {
					t.Errorf("%s %s: of the digits is said %q", l.Tag, situationOf(s), said.Entry)
				}
			}
			said := c.Spoken(s, Hash)
			fmt.Fprintf(&b, "%s\n    %s\n", situationOf(s), said.Text)
		}
		golden := "testdata/" + l.Tag + "-spoken.txt"
		if *update {
			if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s differs: look at `go test -update` and git diff", golden)
		}
	}
}

// TestNoVoice checks that a language without a voice says so, by speech and on every
// display, and offers the one that is spoken.
func TestNoVoice(t *testing.T) {
	c := catalogue(t)
	s := kiosk.Screen{ID: kiosk.ScreenWelcome, Language: "se", Speech: true}
	said := c.Spoken(s, Hash)
	bokmål := c.Spoken(kiosk.Screen{ID: kiosk.ScreenWelcome, Language: "nb", Speech: true}, Hash)
	if said.Voice != "nb" || said.Text != bokmål.Text || !strings.Contains(said.Notice, "nordsamisk") || bokmål.Notice != "" {
		t.Errorf("Northern Sami is spoken as %+v", said)
	}
	for _, form := range []Form{Text16x2, Text20x4, Graphic128x64} {
		rows := c.Lines(s, form)
		checkRows(t, rows, form)
		if shown := strings.Join(rows, "|"); !strings.Contains(shown, "Jietna") || !strings.Contains(shown, "Bokmål") {
			t.Errorf("%d rows: %q does not offer bokmål", form.Rows, rows)
		}
		s.Speech = false
		if silent := c.Lines(s, form); slices.Equal(silent, rows) || strings.Contains(strings.Join(silent, "|"), "Jietna") {
			t.Errorf("%d rows: without speech the screen still mentions it: %q", form.Rows, silent)
		}
		s.Speech = true
	}
}
