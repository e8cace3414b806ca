// Package keypadsim plays the contacts of a keypad: lines with keys between them
// and the currents that flow. It stands in for hardware in tests.
package keypadsim

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
)

// Contacts is a keypad as it is: keys that join a row line to a column line,
// and nothing else in between, so that current goes wherever it can (ghosts).
// It notes what no driver may do to it: two outputs joined at different levels,
// a level read that no resistor defines, a wait that some drivers take for ever.
type Contacts struct {
	Rows, Cols []*Wire

	mu       sync.Mutex
	closed   map[[2]int]bool
	grounded map[*Wire]bool
	faults   []string
	reads    int
}

// Wire is one GPIO line with a key matrix at its end.
type Wire struct {
	Deaf bool // cannot do edges; set before it is used

	of       *Contacts
	taken    bool // by another program
	name     string
	output   bool
	level    gpio.Level // that is driven, as an output
	pull     gpio.Pull
	edge     gpio.Edge
	seen     gpio.Level // the level last computed
	edges    chan struct{}
	lost     bool // with its chip
	vague    bool // nothing defines its level
	waits    int
	released int
}

// New makes a keypad of lines with these names.
func New(rows, cols []string) *Contacts {
	c := &Contacts{closed: map[[2]int]bool{}, grounded: map[*Wire]bool{}}
	lines := func(names []string) (wires []*Wire) {
		for _, name := range names {
			// 16 edges are what Linux keeps per line; a Pi's lines from 9
			// up have a pull-down from reset.
			wires = append(wires, &Wire{of: c, name: name, pull: gpio.PullDown, edges: make(chan struct{}, 16)})
		}
		return wires
	}
	c.Rows, c.Cols = lines(rows), lines(cols)
	return c
}

// Set closes or opens the contact of a key, by its number from the top left, row
// by row.
func (c *Contacts) Set(key int, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed[[2]int{key / len(c.Cols), key % len(c.Cols)}] = closed
	c.flow()
}

// Ground joins a line to ground, or ends that.
func (c *Contacts) Ground(w *Wire, grounded bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grounded[w] = grounded
	c.flow()
}

// Lose takes the chip of all lines away, or brings another.
func (c *Contacts) Lose(lost bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range append(append([]*Wire(nil), c.Rows...), c.Cols...) {
		w.lost = lost
		w.output, w.edge, w.pull = false, gpio.NoEdge, gpio.PullDown
	}
}

// flow works out every line's level, by nets, and makes edges.
func (c *Contacts) flow() {
	all := append(append([]*Wire(nil), c.Rows...), c.Cols...)
	net := make(map[*Wire]int)
	for i, w := range all {
		net[w] = i
	}
	for at, closed := range c.closed {
		if !closed {
			continue
		}
		from, to := net[c.Rows[at[0]]], net[c.Cols[at[1]]]
		for w, n := range net {
			if n == from {
				net[w] = to
			}
		}
	}
	for _, w := range all {
		level, ok := c.levelOf(w, all, net)
		w.vague = !ok
		if !ok {
			continue
		}
		if level != w.seen {
			w.seen = level
			wants := w.edge == gpio.BothEdges || w.edge == gpio.RisingEdge && level == gpio.High || w.edge == gpio.FallingEdge && level == gpio.Low
			if !w.output && wants {
				select {
				case w.edges <- struct{}{}:
				default:
				}
			}
		}
	}
}

func (c *Contacts) levelOf(w *Wire, all []*Wire, net map[*Wire]int) (level gpio.Level, defined bool) {
	var up, down, high, low bool
	for _, o := range all {
		if net[o] != net[w] {
			continue
		}
		switch {
		case c.grounded[o]:
			low = true
		case o.output:
			high, low = high || o.level == gpio.High, low || o.level == gpio.Low
		default:
			up, down = up || o.pull == gpio.PullUp, down || o.pull == gpio.PullDown
		}
	}
	if high && low {
		c.fault("short circuit through %s", w.name)
	}
	switch {
	case low, high:
		return gpio.Level(high && !low), true
	case up != down:
		return gpio.Level(up), true
	}
	return false, false
}

func (c *Contacts) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

// Faults are what the driver did that it may not.
func (c *Contacts) Faults() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.faults...)
}

// Reads counts how often any line was read.
func (c *Contacts) Reads() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads
}

// Closed gives the numbers of the keys whose contacts are closed.
func (c *Contacts) Closed() (keys []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at, closed := range c.closed {
		if closed {
			keys = append(keys, at[0]*len(c.Cols)+at[1])
		}
	}
	return keys
}

// Take has another program hold the line, or let go of it.
func (w *Wire) Take(taken bool) {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.taken = taken
}

// Waits counts how often an edge was waited for.
func (w *Wire) Waits() int {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	return w.waits
}

// Output tells whether the line is one.
func (w *Wire) Output() bool {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	return w.output
}

// Released tells whether the line was given back.
func (w *Wire) Released() bool {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	return w.released > 0
}

func (w *Wire) usable() error {
	switch {
	case w.lost:
		return fmt.Errorf("line_config ioctl: %w", syscall.ENODEV)
	case w.taken:
		return fmt.Errorf("line_request ioctl: %w", syscall.EBUSY)
	}
	return nil
}

// In implements gpio.PinIn.
func (w *Wire) In(pull gpio.Pull, edge gpio.Edge) error {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	if err := w.usable(); err != nil {
		return err
	}
	if edge != gpio.NoEdge && w.Deaf {
		return errors.New("no interrupts on this chip")
	}
	w.output, w.pull, w.edge = false, pull, edge
	w.of.flow()
	return nil
}

// Out implements gpio.PinOut.
func (w *Wire) Out(l gpio.Level) error {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	if err := w.usable(); err != nil {
		return err
	}
	w.output, w.level = true, l
	w.of.flow()
	return nil
}

// Read implements gpio.PinIn.
func (w *Wire) Read() gpio.Level {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.of.reads++
	if w.lost {
		return gpio.Low // as gpioioctl does
	}
	if w.output {
		w.of.fault("%s is read while it is an output", w.name)
	}
	if w.vague {
		w.of.fault("%s is read while nothing defines its level", w.name)
	}
	return w.seen
}

// WaitForEdge implements gpio.PinIn, in the manner of gpioioctl.
func (w *Wire) WaitForEdge(timeout time.Duration) bool {
	w.of.mu.Lock()
	w.waits++
	lost, edge := w.lost, w.edge
	if timeout <= 0 || timeout > time.Minute {
		w.of.fault("%s: waited for %v", w.name, timeout)
	}
	w.of.mu.Unlock()
	if lost || edge == gpio.NoEdge {
		return false // at once, as gpioioctl does
	}
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case <-w.edges:
		return true
	case <-t.C:
		return false
	}
}

// Close gives the line back, as gpioioctl's does.
func (w *Wire) Close() {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.released++
}

// The rest of gpio.PinIO is of no use here.

// Name is the line's.
func (w *Wire) Name() string { return w.name }

// String is the line's name.
func (w *Wire) String() string { return w.name }

// Number is -1: there is no chip.
func (w *Wire) Number() int { return -1 }

// Function is not told.
func (w *Wire) Function() string { return "" }

// Halt does nothing.
func (w *Wire) Halt() error { return nil }

// Pull is that which is asked for.
func (w *Wire) Pull() gpio.Pull { return w.pull }

// DefaultPull is that from reset.
func (w *Wire) DefaultPull() gpio.Pull { return gpio.PullDown }

// PWM cannot.
func (w *Wire) PWM(gpio.Duty, physic.Frequency) error { return errors.New("no PWM") }
