package screen

import (
	"strconv"
	"strings"

	"smartkiosk/kiosk"
)

// maxCorner is the maximum length of Frame.Corner in letters. Names of readers can be
// very long.
const maxCorner = 64

// Frame is a screen in words for the web panel, which has room for sentences. It has
// the fields of device/panel.Frame in the same order, so that one converts to the
// other. That package documents the fields.
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

	Repeat string
	Volume string

	Corner string

	Menu []string
	QR   []string
}

// maxMenuRow is the maximum length of a menu entry on the web, with its key.
const maxMenuRow = 2 + kiosk.MaxLabel

// maxTitle is the maximum length of a document's title in the list on the web.
const maxTitle = 40

func maxRow(s kiosk.Screen) int {
	if s.ID == kiosk.ScreenDocuments {
		return maxTitle
	}
	return maxMenuRow
}

// Frame returns the words of a screen. For an unknown language it uses the first.
func (c *Catalogue) Frame(s kiosk.Screen) Frame {
	l, t := c.language(s.Language), c.words(s, Hash)
	next := c.language(c.Next(l.Tag))
	name := shorten(printable(s.Name), maxName)
	f := Frame{
		Name:    string(s.ID),
		Lang:    l.Tag,
		Heading: t.Heading,
		Text:    strings.NewReplacer("{name}", name, "{detail}", cut(printable(s.Detail), maxDetail)).Replace(t.Text),
		Hint:    t.Hint,
		Tone:    tones[situationOf(s)],

		Entry: -1,

		Keypad:       l.Keys.Keypad,
		ClearKey:     l.Keys.Clear,
		OKKey:        l.Keys.OK,
		NextLang:     next.Tag,
		NextLanguage: next.Name,

		Corner: corner(s, maxCorner),
	}
	if situationOf(s) == "document" {
		f.Text = s.Text // nothing in it is a placeholder
	}
	if isList(s) {
		f.Menu = menuRows(l.entries(s), 0, maxRow(s), kiosk.MaxEntries)
	}
	if s.Sandbox {
		f.Corner = "TEST"
	}
	if l := linkOf(s); s.ID == kiosk.ScreenLink && l.code != "" {
		f.Text = strings.Replace(f.Text, l.String(), l.host+"/\u200b"+l.code, 1) // a browser breaks the line there first
	}
	if s.ID == kiosk.ScreenPage || situationOf(s) == "phone-link" {
		f.QR = QR(s.Page)
	}
	if s.Speech {
		f.Repeat, f.Volume = l.Keys.Repeat, l.Keys.Volume
	}
	if s.TakesPIN() {
		f.Entry = s.Typed
		f.EntryLabel = strings.ReplaceAll(l.Keys.Typed[min(max(s.Typed, 0), 2)], "{typed}", strconv.Itoa(s.Typed))
	}
	return f
}
