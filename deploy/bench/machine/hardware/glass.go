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

// Glass is what a person sees of a display. The functions are those of the
// simulated module.
type Glass struct {
	mu      sync.Mutex
	text    func() []string
	picture func() image.Image
	faults  func() []string
	changed chan struct{}
}

// Text returns what the display shows, a string for each row.
func (g *Glass) Text() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text()
}

// Picture draws what the display shows.
func (g *Glass) Picture() image.Image {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.picture()
}

// Faults lists what a real module might not have survived.
func (g *Glass) Faults() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.faults()
}

// Changed returns a channel that is closed when the display may have changed.
func (g *Glass) Changed() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changed
}

// do calls f, which may change what the module shows.
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

// lcdPowerUp is longer than an HD44780 needs after it got power until it accepts
// instructions. The module gets power together with the Pi, which takes longer to
// boot.
const lcdPowerUp = 50 * time.Millisecond

// WireLCD wires an HD44780 module to six lines.
func (l *Lines) WireLCD(rows, cols, rs, e int, data [4]int) *Glass {
	clock := &displaysim.Clock{}
	clock.Wait(monotonic())
	lcd := displaysim.NewHD44780(rows, cols, clock)
	time.Sleep(lcdPowerUp)
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

// Plug is a display on the I²C bus that can be unplugged.
type Plug struct {
	*Glass
	bus     *Bus
	address uint16
	part    displaysim.Target
	power   func()
}

// Pull unplugs the display, which loses its power.
func (p *Plug) Pull() error {
	p.bus.remove(p.address)
	p.do(p.power)
	return nil
}

// Put plugs the display in again.
func (p *Plug) Put() error {
	p.bus.add(p.address, p)
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

// PutBackpack puts an HD44780 module behind a PCF8574 on the bus.
func (b *Bus) PutBackpack(address uint16, rows, cols int) (*Plug, error) {
	lcd := displaysim.NewHD44780(rows, cols, &b.clock)
	expander := displaysim.NewExpander(lcd)
	p := &Plug{Glass: lcdGlass(lcd), bus: b, address: address, part: expander, power: expander.PowerCycle}
	return p, p.Put()
}

// PutOLED puts an OLED panel on the bus. Its texts have a layout.
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

// monotonic reads CLOCK_MONOTONIC, the clock of all times in this package.
func monotonic() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // Linux always has this clock
	return time.Duration(now.Nano())
}
