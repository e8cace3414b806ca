package screen

import (
	"strconv"
	"strings"

	"smartkiosk/kiosk"
)

// Frame is a screen in words for a panel with room for sentences, the web. It
// has the fields of device/panel.Frame in their order, so that one converts to
// the other; that package says what each is for.
type Frame struct {
	Name    string
	Lang    string
	Heading string
	Text    string
	Hint    string
	Tone    string

	Entry      int
	EntryLabel string

	Keypad       string
	ClearKey     string
	OKKey        string
	NextLang     string
	NextLanguage string
}

// Frame gives a screen's words. A language that the catalogue has not is
// answered with one that it has.
func (c *Catalogue) Frame(s kiosk.Screen) Frame {
	l, t := c.language(s.Language), c.words(s, Hash)
	next := c.language(c.Next(l.Tag))
	name := shorten(printable(s.Name), maxName)
	f := Frame{
		Name:    string(s.ID),
		Lang:    l.Tag,
		Heading: t.Heading,
		Text:    strings.ReplaceAll(t.Text, "{name}", name),
		Hint:    t.Hint,
		Tone:    tones[situationOf(s)],

		Entry: -1,

		Keypad:       l.Keys.Keypad,
		ClearKey:     l.Keys.Clear,
		OKKey:        l.Keys.OK,
		NextLang:     next.Tag,
		NextLanguage: next.Name,
	}
	if s.TakesPIN() {
		f.Entry = s.Typed
		f.EntryLabel = strings.ReplaceAll(l.Keys.Typed[min(max(s.Typed, 0), 2)], "{typed}", strconv.Itoa(s.Typed))
	}
	return f
}
