// Package panel is a front panel as a web page: a display, a keypad, lamps and
// sounds. It is for a kiosk that has a screen and a browser, or that has no front
// panel of its own yet.
//
// The package does not interpret what it shows. A program calls Show with words
// and reads Keys; the page draws the words. The page is /panel/. Its element
// <kiosk-panel> (/panel/panel.js and /panel/panel.css) can be put into another
// page of the same origin.
//
// Typed keys are secret: a key travels from the page to Keys and never back, a
// Frame contains only the number of digits, and nothing is logged.
package panel

import "sync"

// Frame is what the display shows.
type Frame struct {
	Name    string `json:"name"` // for style sheets and tests, never shown
	Lang    string `json:"lang"` // BCP 47, of all texts but NextLanguage
	Heading string `json:"heading"`
	Text    string `json:"text"`
	Hint    string `json:"hint"`
	Tone    string `json:"tone"` // neutral, busy, good, bad or attention

	Entry      int    `json:"entry"`      // digits typed so far; -1: no field for digits
	EntryLabel string `json:"entryLabel"` // the same in words, for a screen reader

	Keypad       string `json:"keypad"`       // names the keypad to a screen reader
	ClearKey     string `json:"clearKey"`     // names the * key
	OKKey        string `json:"okKey"`        // names the # key
	NextLang     string `json:"nextLang"`     // BCP 47, of NextLanguage
	NextLanguage string `json:"nextLanguage"` // the language that the language key selects

	Repeat string `json:"repeat"` // names the key that repeats speech; "" without speech
	Volume string `json:"volume"` // names the key that changes its volume

	Corner string `json:"corner"` // a code for technicians, small in a corner of the display; "" for none

	Menu []string `json:"menu"` // entries of a menu, each a key, a space and what it selects
	QR   []string `json:"qr"`   // a QR code: one string per row of modules, in which 1 is dark; nil for none
}

// lamps are the three lights under the display. They follow the frame's tone.
type lamps struct {
	Green  bool `json:"green"`
	Yellow bool `json:"yellow"`
	Red    bool `json:"red"`
}

func (f Frame) lamps() lamps {
	return lamps{
		Green:  f.Tone == "good",
		Yellow: f.Tone == "busy" || f.Tone == "attention",
		Red:    f.Tone == "bad",
	}
}

// keyBuffer is the number of keys that may wait in Keys: more than a PIN and its
// #. If more arrive, the program has stopped reading.
const keyBuffer = 16

// Panel is one front panel. Any number of pages may show it at the same time. All
// methods may be called from any goroutine.
type Panel struct {
	keys chan rune

	mu      sync.Mutex
	frame   Frame
	shown   uint64 // frames shown so far
	cue     string
	cued    uint64        // cues played so far
	mark    string        // in the corner
	changed chan struct{} // closed at the next change
}

// New returns a panel whose display is empty.
func New() *Panel {
	return &Panel{
		keys:    make(chan rune, keyBuffer),
		frame:   Frame{Tone: "neutral", Entry: -1},
		changed: make(chan struct{}),
	}
}

// Show replaces the frame on the display. It returns without waiting: a slow page
// skips frames and shows the latest one.
func (p *Panel) Show(f Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frame = f
	p.shown++
	p.wake()
}

// Mark shows a few letters in the corner of the display, below every frame, until the next
// call. They are for technicians; "" shows nothing.
func (p *Panel) Mark(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mark != text {
		p.mark = text
		p.wake()
	}
}

// Cue makes the pages play a sound. A page knows key, refused, attention,
// reminder, granted, denied and out-of-service, and plays nothing for any other name. Cue
// returns without waiting: a page that is not connected, or that is slow, misses
// it.
func (p *Panel) Cue(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cue = name
	p.cued++
	p.wake()
}

// Keys sends the keys that are pressed: '0' to '9', '*' to correct or cancel, '#'
// for OK, 'L' for the next language, 'R' and 'V' for repeat and volume of speech. The channel is never closed.
func (p *Panel) Keys() <-chan rune { return p.keys }

// wake wakes the streams after a change.
func (p *Panel) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}
