//go:build linux

package hardware

import (
	"image"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"smartkiosk/device/display"
	"smartkiosk/device/display/displaysim"
)

// Glass is what a person sees of a display.
type Glass struct {
	mu      sync.Mutex
	text    func() []string
	picture func() image.Image
	faults  func() []string
	changed chan struct{}
}

// Text reads it, a string for each row.
func (g *Glass) Text() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text()
}

// Picture draws it.
func (g *Glass) Picture() image.Image {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.picture()
}

// Faults lists what a real module might not have borne.
func (g *Glass) Faults() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.faults()
}

// Changed is closed when it may have changed since the call.
func (g *Glass) Changed() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changed
}

// do has the module do something.
func (g *Glass) do(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
	close(g.changed)
	g.changed = make(chan struct{})
}

func lcdGlass(lcd *displaysim.HD44780) *Glass {
	return &Glass{text: lcd.Text, picture: lcd.Picture, faults: func() []string { return lcd.Faults }, changed: make(chan struct{})}
}

// WireLCD wires a module to six lines.
func (l *Lines) WireLCD(rows, cols, rs, e int, data [4]int) *Glass {
	clock := &displaysim.Clock{}
	clock.Wait(monotonic())
	lcd := displaysim.NewHD44780(rows, cols, clock)
	glass := lcdGlass(lcd)
	var pins struct {
		rs, e bool
		data  byte
	}
	l.Watch(func(c Change) {
		switch c.Line {
		case rs:
			pins.rs = c.High
		case e:
			pins.e = c.High
		}
		for i, line := range data {
			if c.Line == line {
				pins.data &^= 1 << i
				if c.High {
					pins.data |= 1 << i
				}
			}
		}
		glass.do(func() {
			clock.Wait(c.Time - clock.Now())
			lcd.Pins(pins.rs, pins.e, pins.data)
		})
	}, append(data[:], rs, e)...)
	return glass
}

// Plug is a display on the bus, which can be pulled.
type Plug struct {
	*Glass
	bus     *Bus
	address uint16
	part    displaysim.Target
	power   func()
}

// Pull takes it off the bus and its power with it.
func (p *Plug) Pull() error {
	p.bus.take(p.address)
	p.do(p.power)
	return nil
}

// Put puts it back.
func (p *Plug) Put() error {
	p.bus.put(p.address, p)
	return nil
}

// Message implements [displaysim.Target].
func (p *Plug) Message(w []byte, acknowledged func()) {
	p.do(func() { p.part.Message(w, acknowledged) })
}

// Status implements [displaysim.Target].
func (p *Plug) Status() byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.part.Status()
}

// PutBackpack puts a module behind a PCF8574 on the bus.
func (b *Bus) PutBackpack(address uint16, rows, cols int) (*Plug, error) {
	lcd := displaysim.NewHD44780(rows, cols, &b.clock)
	expander := displaysim.NewExpander(lcd)
	p := &Plug{Glass: lcdGlass(lcd), bus: b, address: address, part: expander, power: expander.PowerCycle}
	return p, p.Put()
}

// PutOLED puts a panel on the bus, on which texts in a layout are read.
func (b *Bus) PutOLED(address uint16, panel *displaysim.OLED, layout display.Layout) (*Plug, error) {
	reader, err := newOLEDReader(layout)
	if err != nil {
		return nil, err
	}
	glass := &Glass{
		text: func() []string { return reader.read(panel.Dots()) }, picture: panel.Picture,
		faults: func() []string { return panel.Faults }, changed: make(chan struct{}),
	}
	p := &Plug{Glass: glass, bus: b, address: address, part: panel, power: panel.PowerCycle}
	return p, p.Put()
}

// monotonic is the clock by which changes are dated.
func monotonic() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // no Linux is without it
	return time.Duration(now.Nano())
}
