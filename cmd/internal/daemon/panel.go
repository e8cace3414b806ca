package daemon

import (
	"smartkiosk/device/panel"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/screen"
)

// WebPanel is the web panel as the terminal wants it: with the texts in it.
type WebPanel struct {
	Panel *panel.Panel
	Texts *screen.Catalogue
}

// Show puts the screen's words on the panel.
func (p WebPanel) Show(s kiosk.Screen) { p.Panel.Show(panel.Frame(p.Texts.Frame(s))) }

// Sound has the page make the sound.
func (p WebPanel) Sound(c kiosk.Cue) { p.Panel.Cue(string(c)) }

// OpenDoor does nothing: a web page has no door.
func (p WebPanel) OpenDoor() {}

// Keys are the keys pressed on the page.
func (p WebPanel) Keys() <-chan rune { return p.Panel.Keys() }

// languages are those of the catalogue, first first.
func languages(texts *screen.Catalogue, first string) []string {
	all := []string{first}
	for l := texts.Next(first); l != first; l = texts.Next(l) {
		all = append(all, l)
	}
	return all
}
