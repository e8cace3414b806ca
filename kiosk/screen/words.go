package screen

import (
	"strconv"
	"strings"
	"unicode"

	"smartkiosk/kiosk"
)

// maxName bounds a holder's name on the web, in letters. X.520 allows a common
// name 64.
const maxName = 64

// words fills a situation's texts in for one screen and a panel whose key that
// ends a PIN has ok printed on it: all but {name}, which depends on the room
// there is.
func (c *Catalogue) words(s kiosk.Screen, ok string) text {
	l := c.language(s.Language)
	t := l.Screens[situationOf(s)]
	fill := strings.NewReplacer(
		"{tries}", strconv.Itoa(s.Tries),
		"{language}", c.language(c.Next(l.Tag)).Name,
		"{ok}", ok,
	).Replace
	return text{fill(t.Heading), fill(t.Short), fill(t.Text), fill(t.Hint)}
}

// printable drops what a display cannot show and what could turn its text
// about (control and bidirectional format characters): a name comes from a
// certificate, and whoever issued that is not trusted yet.
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

// shorten gives a name at most max letters: whole, else first and last name,
// else first name and initial, else cut.
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
