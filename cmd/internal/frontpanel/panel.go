// Package frontpanel is a front panel made of parts, as a board file lists
// them: it shows each screen on every display, takes the keys of every keypad,
// gives cues by buzzer and lamps, opens the door and watches the housing. A part
// that is missing or fails is looked for until it is back, and who must know of
// it is told.
package frontpanel

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"smartkiosk/device/board"
	"smartkiosk/device/display"
	"smartkiosk/device/line"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/screen"
	"smartkiosk/kiosk/terminal"
)

// again is how long to wait before a part that could not be opened is opened
// again.
const again = 2 * time.Second

// keyBuffer is how many keys may wait: a PIN and its # with room to spare.
const keyBuffer = 16

// Panel is a front panel. It is a terminal.Panel.
type Panel struct {
	texts    *screen.Catalogue
	ok       string         // what is printed on the key that ends a PIN
	beside   terminal.Panel // nil for none
	displays []shown
	buzzer   *buzzer // nil for none
	lamps    *lamps  // nil for none
	door     *door   // nil for none

	keys   chan rune
	health *health
	stop   context.CancelFunc
	work   sync.WaitGroup
}

// shown is a display, and how screens are laid out for it.
type shown struct {
	keeper *display.Keeper
	form   board.Form
}

// Open begins to look for a board's parts; that one is not there is no error.
// What another panel, nil for none, shows and takes is the same.
func Open(b *board.Board, texts *screen.Catalogue, beside terminal.Panel, log *slog.Logger) *Panel {
	ctx, stop := context.WithCancel(context.Background())
	p := &Panel{texts: texts, ok: okKey(b.Keypads()), beside: beside, keys: make(chan rune, keyBuffer), health: newHealth(log), stop: stop}
	for _, d := range b.Displays {
		part := p.health.part(d.Section(), kiosk.Display)
		p.displays = append(p.displays, shown{display.Keep(d.Open, part.is), d.Form()})
	}
	for _, k := range b.Keypads() {
		part := p.health.part(k.Section(), kiosk.Keypad)
		p.work.Go(func() { p.readKeypad(ctx, k, part) })
	}
	if s := b.Sounder(); s != nil {
		p.buzzer = newBuzzer()
		part := p.health.part(s.Section(), "")
		p.work.Go(func() { p.buzzer.run(ctx, s, part) })
	}
	if b.Lamps != nil {
		p.lamps = newLamps()
		part := p.health.part(b.Lamps.Section(), "")
		p.work.Go(func() { p.lamps.run(ctx, b.Lamps, part) })
	}
	if b.Strike != nil {
		// Who is told to come in must be able to: no service without it.
		p.door = newDoor(b.Strike.OpenFor.Duration)
		part := p.health.part(b.Strike.Section(), kiosk.Door)
		p.work.Go(func() { p.door.run(ctx, func() (strike, error) { return b.Strike.Open() }, part) })
	}
	if b.Tamper != nil {
		part := p.health.part(b.Tamper.Section(), "")
		p.work.Go(func() { watchHousing(ctx, b.Tamper, part) })
	}
	if beside != nil {
		p.work.Go(func() { p.take(ctx, beside.Keys()) })
	}
	p.work.Go(func() { p.health.run(ctx) })
	return p
}

// Close shuts the door and lets go of all parts. The displays show what they
// were told last.
func (p *Panel) Close() {
	for _, d := range p.displays {
		d.keeper.Close()
	}
	p.stop()
	p.work.Wait()
}

// Parts are those that no visit can do without.
func (p *Panel) Parts() []kiosk.Part { return p.health.needed() }

// States tells whether they work, as it changes, and of each at the start.
func (p *Panel) States() <-chan terminal.PartState { return p.health.states }

// Reports are what became of the parts. Whoever does not read them misses the
// latest.
func (p *Panel) Reports() <-chan Report { return p.health.reports }

// Show implements terminal.Panel.
func (p *Panel) Show(s kiosk.Screen) {
	for _, d := range p.displays {
		d.keeper.Show(frame(p.texts, s, d.form, p.ok))
	}
	if p.lamps != nil {
		p.lamps.show(p.texts.Frame(s).Tone)
	}
	if p.beside != nil {
		p.beside.Show(s)
	}
}

// Sound implements terminal.Panel.
func (p *Panel) Sound(c kiosk.Cue) {
	if p.buzzer != nil {
		p.buzzer.play(c)
	}
	if p.beside != nil {
		p.beside.Sound(c)
	}
}

// OpenDoor implements terminal.Panel.
func (p *Panel) OpenDoor() {
	if p.door != nil {
		p.door.open()
	}
	if p.beside != nil {
		p.beside.OpenDoor()
	}
}

// Keys implements terminal.Panel: those of all keypads.
func (p *Panel) Keys() <-chan rune { return p.keys }

// frame lays a screen out for a display beside a keypad whose key that ends a
// PIN has ok printed on it.
func frame(texts *screen.Catalogue, s kiosk.Screen, f board.Form, ok string) display.Frame {
	form := screen.Form{Heading: f.Columns, Columns: f.Columns, Rows: f.Rows}
	switch f.Layout {
	case display.Heading:
		form = screen.Graphic128x64
	case display.Large:
		form = screen.Text16x2
	}
	form.OK = ok
	return display.Frame{Rows: texts.Lines(s, form), Layout: f.Layout}
}

// opened opens a part, again and again until it is there or ctx has ended.
func opened[T any](ctx context.Context, is func(error), open func() (T, error)) (part T, ok bool) {
	for ctx.Err() == nil {
		part, err := open()
		if is(err); err == nil {
			return part, true
		}
		line.Sleep(ctx, again)
	}
	return part, false
}
