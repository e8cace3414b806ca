package daemon

import (
	"smartkiosk/device/panel"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/screen"
	"smartkiosk/kiosk/terminal"
)

// WebPanel adapts the web panel to terminal.Panel: it adds the texts.
type WebPanel struct {
	Panel *panel.Panel
	Texts *screen.Catalogue
}

// Show shows the screen's text on the panel.
func (p WebPanel) Show(s kiosk.Screen) { p.Panel.Show(panel.Frame(p.Texts.Frame(s))) }

// Sound makes the page play the sound.
func (p WebPanel) Sound(c kiosk.Cue) { p.Panel.Cue(string(c)) }

// Mark shows a mark for technicians in the corner of the page.
func (p WebPanel) Mark(text string) { p.Panel.Mark(text) }

// OpenDoor does nothing: a web page has no door.
func (p WebPanel) OpenDoor() {}

// Keys returns the keys pressed on the page.
func (p WebPanel) Keys() <-chan rune { return p.Panel.Keys() }

// Displays returns the form of the page. A browser shows every letter.
func (p WebPanel) Displays() (forms []screen.Form, shows func(page string) error) {
	return []screen.Form{screen.Web}, func(string) error { return nil }
}

// documentPanel is a panel that shows documents.
type documentPanel interface {
	Displays() (forms []screen.Form, shows func(page string) error)
}

// pagesOn returns the function with which a terminal lays documents out for a panel, or nil
// for a panel that shows none.
func pagesOn(p terminal.Panel) func(text string) ([]string, error) {
	d, ok := p.(documentPanel)
	if !ok {
		return nil
	}
	return func(text string) ([]string, error) {
		forms, shows := d.Displays()
		pages, err := screen.PagesOn(text, forms)
		if err != nil {
			return nil, err
		}
		for _, page := range pages {
			if err := shows(page); err != nil {
				return nil, err
			}
		}
		return pages, nil
	}
}

// languages returns the catalogue's languages, beginning with first.
func languages(texts *screen.Catalogue, first string) []string {
	all := []string{first}
	for l := texts.Next(first); l != first; l = texts.Next(l) {
		all = append(all, l)
	}
	return all
}
