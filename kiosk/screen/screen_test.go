package screen

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"smartkiosk/kiosk"
)

var update = flag.Bool("update", false, "rewrite testdata/*.txt")

func catalogue(t testing.TB) *Catalogue {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestReasonStays checks that a display shows the hint to take the card together with
// the reason of a refusal. A display of two rows shows one after the other.
func TestReasonStays(t *testing.T) {
	c := catalogue(t)
	for _, l := range c.languages {
		for _, s := range situations(t) {
			switch s.ID {
			case kiosk.ScreenDenied, kiosk.ScreenFailed, kiosk.ScreenTimedOut, kiosk.ScreenCancelled:
			default:
				continue
			}
			if _, byPhone := logins[s.Reason]; byPhone {
				continue // there is no card
			}
			s.Language = l.Tag
			words := c.words(s, Hash)
			for _, form := range []Form{Text16x2, Text20x4, Graphic128x64} {
				rows := c.Lines(s, form)
				s.TakeCard = true
				reminder := c.Lines(s, form)
				s.TakeCard = false
				if rows[0] != words.Heading || reminder[0] != words.Heading {
					t.Errorf("%s %s: the reason is missing in %q, %q", l.Tag, situationOf(s), rows, reminder)
				}
				if words.Hint == "" || strings.Join(strings.Fields(strings.Join(reminder[1:], " ")), " ") == "" ||
					!strings.HasSuffix(strings.TrimSpace(strings.Join(reminder, " ")), words.Hint) {
					t.Errorf("%s %s, %d rows: the hint %q is missing in %q", l.Tag, situationOf(s), form.Rows, words.Hint, reminder)
				}
			}
		}
	}
}

// TestPINAnswersEveryKey checks that each answer to a key during PIN entry is
// visible on every display, together with or in place of the digits.
func TestPINAnswersEveryKey(t *testing.T) {
	c := catalogue(t)
	for _, form := range []Form{Text16x2, Text20x4, Graphic128x64} {
		for want, s := range map[string]kiosk.Screen{
			"***":              {Typed: 3},
			"2 forsøk igjen":   {Typed: 1, WrongPIN: true, Tries: 2, TriesKnown: true},
			"Siste forsøk":     {Typed: 1, WrongPIN: true, Tries: 1, TriesKnown: true},
			"Minst 4 sifre":    {Typed: 2, Notice: kiosk.NoticeTooShort, Digits: 4},
			"Høyst 16 sifre":   {Typed: 16, Notice: kiosk.NoticeTooLong, Digits: 16},
			"Vil du avbryte?":  {Notice: kiosk.NoticeLeave},
			"Vil du avbryte? ": {Notice: kiosk.NoticeLeave, OnReader: true},
			"**":               {Typed: 2, Notice: kiosk.NoticeTooShort, Digits: 4},
		} {
			s.ID, s.Language = kiosk.ScreenPIN, "nb"
			if rows := c.Lines(s, form); !strings.Contains(strings.Join(rows, "|"), strings.TrimSpace(want)) {
				t.Errorf("%d rows: %q is missing in %q", form.Rows, want, rows)
			}
		}
	}
}

// TestPictures compares a picture of every screen on every display with golden
// files, in which a translator can see the effect of a change.
func TestPictures(t *testing.T) {
	c := catalogue(t)
	for _, l := range c.languages {
		var b strings.Builder
		for _, s := range situations(t) {
			s.Language = l.Tag
			fmt.Fprintf(&b, "%s\n", situationOf(s))
			forms := []Form{Text16x2, Text20x4, Graphic128x64}
			for row := range Graphic128x64.Rows {
				line := ""
				for _, form := range forms {
					picture := ""
					if row < form.Rows {
						picture = fmt.Sprintf("|%-*s|", form.Columns, c.Lines(s, form)[row])
					}
					line += fmt.Sprintf(" %-*s", form.Columns+2, picture)
				}
				fmt.Fprintln(&b, strings.TrimRight(line, " "))
			}
			fmt.Fprintln(&b)
		}
		golden := "testdata/" + l.Tag + ".txt"
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

func TestEveryReasonIsGrouped(t *testing.T) {
	ownScreen := map[kiosk.Reason]bool{ // cancelled, timed-out
		kiosk.ByHolder: true, kiosk.CardRemoved: true, kiosk.LoginPage: true, kiosk.PINTimeout: true, kiosk.VisitTimeout: true, kiosk.CardInstead: true,
	}
	for _, r := range reasons(t) {
		_, denied := denials[r]
		_, failed := failures[r]
		_, login := logins[r]
		if !denied && !failed && !login && !ownScreen[r] {
			t.Errorf("reason %q has no text that says what to do", r)
		}
	}
	told := map[situation]bool{}
	for _, s := range denials {
		told[s] = true
	}
	if len(told) > 10 {
		t.Errorf("%d texts for a denial: a few are enough", len(told))
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		name    string
		columns int
		want    string
	}{
		{"Kari Nordmann", 16, "Kari Nordmann"},
		{"Kari Anne Sofie Nordmann", 20, "Kari Nordmann"},
		{"Kari Anne Nordmann-Haugen", 16, "Kari N."},
		{"Bartholomeus-Kristoffer Ås", 16, "Bartholomeus-Kri"},
		{"", 16, ""},
	} {
		if got := shorten(tt.name, tt.columns); got != tt.want {
			t.Errorf("shorten(%q, %d) = %q, want %q", tt.name, tt.columns, got, tt.want)
		}
	}
}

func TestNext(t *testing.T) {
	c := catalogue(t)
	for tag, want := range map[string]string{"nb": "en", "en": "nn", "nn": "se", "se": "nb", "xx": "nb"} {
		if got := c.Next(tag); got != want {
			t.Errorf("after %q comes %q, want %q", tag, got, want)
		}
	}
	for _, tag := range []string{"nb", "en", "nn", "se"} {
		if !c.Has(tag) {
			t.Errorf("language %q is missing", tag)
		}
	}
	if c.Has("xx") {
		t.Error("Has knows the language xx")
	}
}

func TestLoadRefuses(t *testing.T) {
	whole, err := embedded.ReadFile("texts/nb.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"not TOML", `tag = "nb"`, `tag`, "cannot load texts/nb.toml: line 31, column 4: toml: expected '='"},
		{"another tag", `tag = "nb"`, `tag = "nn"`, `tag "nn" differs from the file's name`},
		{"no name", `name = "Bokmål"`, `name = ""`, "name and all of [keys] must be filled in"},
		{"no place", "order = 1\n", "", "cannot load texts/nb.toml: order is 0, but the languages must count from 1 without a gap"},
		{"no voice", `voice = "nb"`, `voice = ""`, "cannot load texts/nb.toml: [speech] has neither a voice and a dot, nor a notice and another language that has one"},
		{"no key name", `ok = "OK"`, ``, "name and all of [keys] must be filled in"},
		{"misspelt key", `short = "Vent litt"`, `shrot = "Vent litt"`, `unknown key "screens.checking.shrot"`},
		{"text missing", `heading = "Avbrutt"`, ``, `screen "cancelled" lacks a heading, short or text`},
		{"screen too many", `[keys]`, "[screens.mislaid]\nheading = \"x\"\n[keys]", `unknown screen "mislaid"`},
	} {
		file := strings.Replace(string(whole), tt.old, tt.new, 1)
		_, err := load(fstest.MapFS{"texts/nb.toml": {Data: []byte(file)}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := load(fstest.MapFS{}); err == nil || err.Error() != "cannot load texts: there is no language" {
		t.Errorf("no language: %v", err)
	}
}
