// Package keypadsim simulates the contacts of a keypad: lines with keys between
// them and the currents that flow. Tests use it in place of hardware.
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

// Contacts is a keypad without diodes: each key connects a row line to a column
// line, so current takes every path that closed keys offer (ghosts). It records
// faults of the driver: outputs at different levels that are connected, a level
// that is read although no resistor defines it, and a wait that never ends with
// some drivers.
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
	Deaf bool // has no edge detection; set it before use

	of       *Contacts
	taken    bool // another program holds the line
	name     string
	output   bool
	level    gpio.Level // the driven level of an output
	pull     gpio.Pull
	edge     gpio.Edge
	seen     gpio.Level // the last level that was computed
	edges    chan struct{}
	lost     bool // its chip is lost
	vague    bool // no output or pull defines its level
	waits    int
	released int
}

// New returns a keypad of lines with these names.
func New(rows, cols []string) *Contacts {
	c := &Contacts{closed: map[[2]int]bool{}, grounded: map[*Wire]bool{}}
	lines := func(names []string) (wires []*Wire) {
		for _, name := range names {
			// Linux keeps 16 edges per line. A Pi's lines from 9 up have a
			// pull-down from reset.
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

// Ground connects a line to ground, or disconnects it.
func (c *Contacts) Ground(w *Wire, grounded bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grounded[w] = grounded
	c.flow()
}

// Lose removes the chip of all lines, or brings it back in its reset state.
func (c *Contacts) Lose(lost bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range append(append([]*Wire(nil), c.Rows...), c.Cols...) {
		w.lost = lost
		w.output, w.edge, w.pull = false, gpio.NoEdge, gpio.PullDown
	}
}

// flow computes the level of every line from the connected nets, and sends edges.
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

// Faults returns the faults of the driver.
func (c *Contacts) Faults() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.faults...)
}

// Reads returns how often any line was read.
func (c *Contacts) Reads() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads
}

// Closed returns the numbers of the keys whose contacts are closed.
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

// Take makes another program hold the line, or release it.
func (w *Wire) Take(taken bool) {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.taken = taken
}

// Waits returns the number of waits for an edge.
func (w *Wire) Waits() int {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	return w.waits
}

// Output reports whether the line is an output.
func (w *Wire) Output() bool {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	return w.output
}

// Released reports whether the line was released.
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

// WaitForEdge implements gpio.PinIn as gpioioctl does.
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

// Close releases the line, as that of gpioioctl does.
func (w *Wire) Close() {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.released++
}

// The remaining methods of gpio.PinIO are not used.

// Name returns the line's name.
func (w *Wire) Name() string { return w.name }

// String returns the line's name.
func (w *Wire) String() string { return w.name }

// Number returns -1: there is no chip.
func (w *Wire) Number() int { return -1 }

// Function returns "": the function is unknown.
func (w *Wire) Function() string { return "" }

// Halt does nothing.
func (w *Wire) Halt() error { return nil }

// Pull returns the pull that was set last.
func (w *Wire) Pull() gpio.Pull { return w.pull }

// DefaultPull returns the pull after reset.
func (w *Wire) DefaultPull() gpio.Pull { return gpio.PullDown }

// PWM returns an error.
func (w *Wire) PWM(gpio.Duty, physic.Frequency) error { return errors.New("no PWM") }
