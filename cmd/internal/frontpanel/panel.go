// Package frontpanel is a front panel that consists of the parts in a board file. It
// shows each screen on every display, reads every keypad, gives cues by buzzer and
// lamps, opens the door and watches the housing. It reopens a part that is missing or
// fails until it works, and reports this to visits, log and event log.
package frontpanel

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"smartkiosk/device/board"
	"smartkiosk/device/display"
	"smartkiosk/device/line"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/screen"
	"smartkiosk/kiosk/terminal"
)

// reopenDelay is the time between two attempts to open a part.
const reopenDelay = 2 * time.Second

// keyBuffer is how many keys may wait. It is more than a PIN and its #.
const keyBuffer = 16

// Panel is a front panel. It implements terminal.Panel.
type Panel struct {
	texts    *screen.Catalogue
	ok       string         // label of the key that ends a PIN
	other    terminal.Panel // may be nil
	displays []output
	buzzer   *buzzer // nil if the board has none, as lamps and door
	lamps    *lamps
	door     *door

	mu     sync.Mutex
	screen kiosk.Screen // shown last
	mark   string       // see Mark

	keys   chan rune
	health *health
	stop   context.CancelFunc
	work   sync.WaitGroup
}

// output is a display and the form that screens have on it.
type output struct {
	keeper *display.Keeper
	form   board.Form
}

// Open starts to open the parts of a board. A part that is missing is not an error.
// Another panel, if not nil, shows the same screens, and its keys count too.
func Open(b *board.Board, texts *screen.Catalogue, other terminal.Panel, log *slog.Logger) *Panel {
	ctx, stop := context.WithCancel(context.Background())
	p := &Panel{texts: texts, ok: okKey(b.Keypads()), other: other, keys: make(chan rune, keyBuffer), health: newHealth(log), stop: stop}
	for _, d := range b.Displays {
		part := p.health.part(d.Section(), kiosk.Display)
		p.displays = append(p.displays, output{display.Keep(d.Open, part.setError), d.Form()})
	}
	for _, k := range b.Keypads() {
		part := p.health.part(k.Section(), kiosk.Keypad)
		p.work.Go(func() { p.readKeypad(ctx, k, part) })
	}
	if s := b.Sounder(); s != nil {
		p.buzzer = newBuzzer(b.Cues)
		part := p.health.part(s.Section(), "")
		p.work.Go(func() { p.buzzer.run(ctx, s, part) })
	}
	if b.Lamps != nil {
		p.lamps = newLamps(b.Cues)
		part := p.health.part(b.Lamps.Section(), "")
		p.work.Go(func() { p.lamps.run(ctx, b.Lamps, part) })
	}
	if b.Strike != nil {
		// A visitor who is told to come in must be able to, so a visit needs the door.
		p.door = newDoor(b.Strike.OpenFor.Duration)
		part := p.health.part(b.Strike.Section(), kiosk.Door)
		p.work.Go(func() { p.door.run(ctx, func() (strike, error) { return b.Strike.Open() }, part) })
	}
	if b.Tamper != nil {
		part := p.health.part(b.Tamper.Section(), "")
		p.work.Go(func() { watchHousing(ctx, b.Tamper, part) })
	}
	if other != nil {
		p.work.Go(func() { p.forwardKeys(ctx, other.Keys()) })
	}
	p.work.Go(func() { p.health.run(ctx) })
	return p
}

// Close shuts the door and closes all parts. The displays keep their last screen.
func (p *Panel) Close() {
	for _, d := range p.displays {
		d.keeper.Close()
	}
	p.stop()
	p.work.Wait()
}

// Parts returns the parts that every visit needs.
func (p *Panel) Parts() []kiosk.Part { return p.health.needed() }

// OKKey returns the label of the key that ends a PIN.
func (p *Panel) OKKey() string { return p.ok }

// States receives the state of each of these parts at the start and at each change.
func (p *Panel) States() <-chan terminal.PartState { return p.health.states }

// Reports receives the changes of all parts. Reports are dropped if the caller does
// not read them.
func (p *Panel) Reports() <-chan Report { return p.health.reports }

// Show implements terminal.Panel.
func (p *Panel) Show(s kiosk.Screen) {
	p.mu.Lock()
	p.screen = s
	p.draw()
	p.mu.Unlock()
	if p.lamps != nil {
		p.lamps.show(p.texts.Frame(s).Tone)
	}
	if p.other != nil {
		p.other.Show(s)
	}
}

// Mark shows a few letters for technicians at the end of the last row of each display that
// has this row free, until the next call.
func (p *Panel) Mark(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mark != text {
		p.mark = text
		if p.screen.ID != "" {
			p.draw()
		}
	}
	if other, ok := p.other.(interface{ Mark(string) }); ok {
		other.Mark(text)
	}
}

// draw shows the last screen on the displays. The caller holds mu.
func (p *Panel) draw() {
	for _, d := range p.displays {
		f := frame(p.texts, p.screen, d.form, p.ok)
		if last := len(f.Rows) - 1; last > 1 && f.Rows[last] == "" && p.mark != "" {
			f.Rows[last] = strings.Repeat(" ", max(0, d.form.Columns-len(p.mark))) + p.mark
		}
		d.keeper.Show(f)
	}
}

// Sound implements terminal.Panel.
func (p *Panel) Sound(c kiosk.Cue) {
	if p.buzzer != nil {
		p.buzzer.play(c)
	}
	if p.other != nil {
		p.other.Sound(c)
	}
}

// OpenDoor implements terminal.Panel.
func (p *Panel) OpenDoor() {
	if p.door != nil {
		p.door.open()
	}
	if p.other != nil {
		p.other.OpenDoor()
	}
}

// Keys implements terminal.Panel. It receives the keys of all keypads.
func (p *Panel) Keys() <-chan rune { return p.keys }

// frame lays out a screen for a display. ok is the label of the key that ends a PIN.
func frame(texts *screen.Catalogue, s kiosk.Screen, f board.Form, ok string) display.Frame {
	form := screenForm(f)
	form.OK = ok
	if f.Layout == display.Heading || f.Layout == display.Large { // a display of dots
		if code, rows, has := texts.Beside(s, display.BesideLetters, ok); has {
			if picture := codePicture(code); picture != nil {
				return display.Frame{Rows: rows, Layout: display.Beside, Picture: picture}
			}
		}
	}
	return display.Frame{Rows: texts.Lines(s, form), Layout: f.Layout}
}

// screenForm returns the form that screens have on a display.
func screenForm(f board.Form) screen.Form {
	switch f.Layout {
	case display.Heading:
		return screen.Graphic128x64
	case display.Large:
		return screen.Text16x2
	}
	return screen.Form{Heading: f.Columns, Columns: f.Columns, Rows: f.Rows}
}

// Displays returns the form of each display, those of the other panel included, and the
// function that checks the letters of a page.
func (p *Panel) Displays() (forms []screen.Form, shows func(page string) error) {
	shows = func(string) error { return nil }
	if other, ok := p.other.(interface {
		Displays() ([]screen.Form, func(string) error)
	}); ok {
		forms, shows = other.Displays()
	}
	for _, d := range p.displays {
		forms, shows = append(forms, screenForm(d.form)), display.Shows
	}
	return forms, shows
}

// openWithRetry opens a part, and retries until it succeeds or ctx ends. It passes each
// result to setError.
func openWithRetry[T any](ctx context.Context, setError func(error), open func() (T, error)) (part T, ok bool) {
	for ctx.Err() == nil {
		part, err := open()
		if setError(err); err == nil {
			return part, true
		}
		line.Sleep(ctx, reopenDelay)
	}
	return part, false
}
