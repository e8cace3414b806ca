package screen

import (
	"strconv"
	"strings"
	"unicode"

	"smartkiosk/kiosk"
)

// maxName is the maximum length of a holder's name on the web, in letters. X.520
// allows 64 for a common name.
const maxName = 64

// maxDetail is the maximum length of a detail on the web, in letters.
const maxDetail = 48

// words returns the texts of a screen with all placeholders filled in except {name}
// and {detail}, which depend on the width of the display. ok is the label of the key that ends a
// PIN.
func (c *Catalogue) words(s kiosk.Screen, ok string) text {
	l := c.language(s.Language)
	t := l.Screens[situationOf(s)]
	if l.offersVoice(s) {
		t = l.Screens["welcome"]
		t.Short, t.Text = l.Speech.Short, l.Speech.Text
	}
	if s.ByPhone && s.ID != kiosk.ScreenWelcome && s.ID != kiosk.ScreenHosted && s.ID != kiosk.ScreenLink && s.ID != kiosk.ScreenOnPhone {
		t.Hint = "" // it says what to do with the card
	}
	fill := strings.NewReplacer(
		"{tries}", strconv.Itoa(s.Tries),
		"{digits}", strconv.Itoa(s.Digits),
		"{language}", c.language(c.Next(l.Tag)).Name,
		"{ok}", ok,
		"{page}", address(s.Page),
		"{link}", linkOf(s).String(),
		"{host}", linkOf(s).host,
		"{code}", linkOf(s).code,
		"{entries}", sayEntries(l.entries(s)),
		"{part}", strconv.Itoa(s.Part),
		"{parts}", strconv.Itoa(s.Parts),
		"{title}", printable(s.Title),
	).Replace
	return text{fill(t.Heading), fill(t.Short), fill(t.Text), fill(t.Hint), fill(t.Spoken)}
}

// offersVoice reports whether the welcome screen of a language without a voice offers the
// language that is spoken in its place.
func (l language) offersVoice(s kiosk.Screen) bool {
	return s.Speech && s.ID == kiosk.ScreenWelcome && !s.Recorded && l.Speech.Voice == ""
}

// printable removes control characters and bidirectional format characters, which
// could reverse the text. A name comes from a certificate whose issuer may not have
// been checked yet.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, name)
	return strings.Join(strings.Fields(name), " ")
}

// shorten returns a name of at most max letters: whole if it fits, otherwise first
// and last name, otherwise first name and initial, otherwise cut off.
func shorten(name string, max int) string {
	words := strings.Fields(name)
	if len([]rune(name)) <= max || len(words) == 0 {
		return name
	}
	first, last := words[0], words[len(words)-1]
	for _, shorter := range []string{
		first + " " + last,
		first + " " + string([]rune(last)[0]) + ".",
		first,
	} {
		if len([]rune(shorter)) <= max {
			return shorter
		}
	}
	return string([]rune(first)[:max])
}
