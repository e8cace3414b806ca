// Package panel is a front panel as a web page: a display, a keypad, lamps and
// sounds, for a kiosk that has a screen and a browser, or none of its own yet.
//
// It knows nothing of what it shows. A program calls Show with words and reads
// Keys; the page draws them. The page is /panel/; its element <kiosk-panel>
// (/panel/panel.js and /panel/panel.css) can be put into another page of the
// same origin.
//
// What a person types is a secret here: a key travels from the page to Keys
// and never back, a Frame has the number of digits alone, and nothing is
// logged.
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
	NextLanguage string `json:"nextLanguage"` // what the language key changes to
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

// keyBuffer is how many keys may wait for whoever reads Keys: a PIN and its #
// with room to spare. More would be typed at a program that has stopped.
const keyBuffer = 16

// Panel is one front panel, shown by any number of pages at once. All methods
// may be called from any goroutine.
type Panel struct {
	keys chan rune

	mu      sync.Mutex
	frame   Frame
	shown   uint64 // frames shown so far
	cue     string
	cued    uint64        // cues given so far
	changed chan struct{} // closed at the next change
}

// New makes a panel whose display is empty.
func New() *Panel {
	return &Panel{
		keys:    make(chan rune, keyBuffer),
		frame:   Frame{Tone: "neutral", Entry: -1},
		changed: make(chan struct{}),
	}
}

// Show puts a frame on the display in place of the one before. It never waits:
// a page that is slow sees the latest frame.
func (p *Panel) Show(f Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frame = f
	p.shown++
	p.wake()
}

// Cue makes a sound. The page knows key, refused, attention, granted, denied and
// out-of-service; it is silent at any other name. It never waits: a page that is
// not there, or slow, misses it.
func (p *Panel) Cue(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cue = name
	p.cued++
	p.wake()
}

// Keys are the keys pressed: '0' to '9', '*' to correct or cancel, '#' for OK,
// 'L' for the next language. The channel is never closed.
func (p *Panel) Keys() <-chan rune { return p.keys }

// wake tells the streams that there is something new.
func (p *Panel) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}
