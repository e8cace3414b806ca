package screen

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"smartkiosk/device/tomlfile"
	"smartkiosk/kiosk"
)

//go:embed texts/*.toml
var embedded embed.FS

// Catalogue holds every language, each complete.
type Catalogue struct {
	languages []language // by Order
}

// language is one file of texts/.
type language struct {
	Tag   string // BCP 47
	Name  string // in the language itself
	Order int    // place in the round of the language key; unique
	Keys  struct {
		Keypad string    // names the keypad to a screen reader
		Clear  string    // names the * key
		OK     string    // names the # key
		Repeat string    // names the key that speaks the screen again
		Volume string    // names the key that changes the volume of speech
		Typed  [3]string // no digit, one, {typed}
	}
	Services map[kiosk.Service]string // names in the menu
	Speech   speech
	Screens  map[situation]text
}

// text is the text of one situation in one language.
type text struct {
	Heading, Short, Text, Hint string
	Spoken                     string // in place of heading, text and hint; optional
}

// Load reads the languages that are compiled in.
func Load() (*Catalogue, error) { return load(embedded) }

// load reads texts/*.toml. Every language must have every text and no other.
func load(files fs.FS) (*Catalogue, error) {
	names, err := fs.Glob(files, "texts/*.toml")
	if err != nil {
		return nil, fmt.Errorf("cannot list languages: %v", err)
	}
	if len(names) == 0 {
		return nil, errors.New("cannot load texts: there is no language")
	}
	var c Catalogue
	for _, name := range names {
		l, err := loadLanguage(files, name)
		if err != nil {
			return nil, fmt.Errorf("cannot load %s: %v", name, err)
		}
		c.languages = append(c.languages, l)
	}
	slices.SortFunc(c.languages, func(a, b language) int { return cmp.Compare(a.Order, b.Order) })
	for i, l := range c.languages {
		if l.Order != i+1 {
			return nil, fmt.Errorf("cannot load texts/%s.toml: order is %d, but the languages must count from 1 without a gap", l.Tag, l.Order)
		}
	}
	for _, l := range c.languages {
		if (l.Speech.Voice == "" || l.Speech.Dot == "") && (l.Speech.Notice == "" || c.language(l.Speech.Instead).Speech.Voice == "") {
			return nil, fmt.Errorf("cannot load texts/%s.toml: [speech] has neither a voice and a dot, nor a notice and another language that has one", l.Tag)
		}
	}
	return &c, nil
}

func loadLanguage(files fs.FS, name string) (l language, err error) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return l, err
	}
	if err := tomlfile.Decode(text, &l); err != nil {
		return l, err
	}
	if l.Tag+".toml" != path.Base(name) {
		return l, fmt.Errorf("tag %q differs from the file's name", l.Tag)
	}
	k := l.Keys
	for _, s := range []string{l.Name, k.Keypad, k.Clear, k.OK, k.Repeat, k.Volume, k.Typed[0], k.Typed[1], k.Typed[2]} {
		if s == "" {
			return l, errors.New("name and all of [keys] must be filled in")
		}
	}
	for s := range tones {
		t := l.Screens[s]
		if t.Heading == "" || t.Short == "" || t.Text == "" && s != "menu" && s != "documents" {
			return l, fmt.Errorf("screen %q lacks a heading, short or text", s)
		}
	}
	for _, s := range named {
		if n := letters(l.Services[s]); n == 0 || n > kiosk.MaxLabel {
			return l, fmt.Errorf("service %q has a name of %d letters, not of 1 to %d", s, n, kiosk.MaxLabel)
		}
	}
	for s := range l.Screens {
		if _, ok := tones[s]; !ok {
			return l, fmt.Errorf("unknown screen %q", s)
		}
	}
	return l, nil
}

// Has reports whether the catalogue has the language with this BCP 47 tag, so that a
// configuration with another language can be refused.
func (c *Catalogue) Has(tag string) bool {
	return slices.ContainsFunc(c.languages, func(l language) bool { return l.Tag == tag })
}

// Next returns the tag of the next language. After the last one, and after an
// unknown tag, comes the first.
func (c *Catalogue) Next(tag string) string {
	i := slices.IndexFunc(c.languages, func(l language) bool { return l.Tag == tag })
	return c.languages[(i+1)%len(c.languages)].Tag
}

// language returns a language, for an unknown tag the first: a text in the wrong
// language is better than an empty display.
func (c *Catalogue) language(tag string) language {
	for _, l := range c.languages {
		if l.Tag == tag {
			return l
		}
	}
	return c.languages[0]
}
