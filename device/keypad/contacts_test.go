package keypad

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
)

// contacts is a keypad as it is: keys that join a row line to a column line,
// and nothing else in between, so that current goes wherever it can (ghosts).
// It notes what no driver may do to it: two outputs joined at different levels,
// a level read that no resistor defines, a wait that some drivers take for ever.
type contacts struct {
	mu         sync.Mutex
	rows, cols []*wire
	closed     map[[2]int]bool
	grounded   map[*wire]bool
	faults     []string
	reads      int
}

// wire is one GPIO line with a key matrix at its end.
type wire struct {
	of       *contacts
	name     string
	output   bool
	level    gpio.Level // that is driven, as an output
	pull     gpio.Pull
	edge     gpio.Edge
	seen     gpio.Level // the level last computed
	edges    chan struct{}
	taken    bool // by another program
	lost     bool // with its chip
	deaf     bool // cannot do edges
	vague    bool // nothing defines its level
	waits    int
	released int
}

func newContacts(rows, cols int) *contacts {
	c := &contacts{closed: map[[2]int]bool{}, grounded: map[*wire]bool{}}
	make1 := func(kind string, i int) *wire {
		// 16 edges are what Linux keeps per line; a Pi's lines from 9 up
		// have a pull-down from reset.
		return &wire{of: c, name: fmt.Sprintf("%s%d", kind, i), pull: gpio.PullDown, edges: make(chan struct{}, 16)}
	}
	for i := range rows {
		c.rows = append(c.rows, make1("ROW", i))
	}
	for i := range cols {
		c.cols = append(c.cols, make1("COL", i))
	}
	return c
}

func (c *contacts) matrix(l Layout) Matrix {
	m := Matrix{Layout: l}
	for _, w := range c.rows {
		m.Rows = append(m.Rows, w)
	}
	for _, w := range c.cols {
		m.Cols = append(m.Cols, w)
	}
	return m
}

// set closes or opens the contact of a key, by key number.
func (c *contacts) set(key int, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed[[2]int{key / len(c.cols), key % len(c.cols)}] = closed
	c.flow()
}

func (c *contacts) ground(w *wire, grounded bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grounded[w] = grounded
	c.flow()
}

func (c *contacts) lose(lost bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range append(append([]*wire(nil), c.rows...), c.cols...) {
		w.lost = lost
		w.output, w.edge, w.pull = false, gpio.NoEdge, gpio.PullDown
	}
}

// flow works out every line's level, by nets, and makes edges.
func (c *contacts) flow() {
	all := append(append([]*wire(nil), c.rows...), c.cols...)
	net := make(map[*wire]int)
	for i, w := range all {
		net[w] = i
	}
	for at, closed := range c.closed {
		if !closed {
			continue
		}
		from, to := net[c.rows[at[0]]], net[c.cols[at[1]]]
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

func (c *contacts) levelOf(w *wire, all []*wire, net map[*wire]int) (level gpio.Level, defined bool) {
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

func (c *contacts) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

func (c *contacts) faultsSeen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.faults...)
}

func (w *wire) usable() error {
	switch {
	case w.lost:
		return fmt.Errorf("line_config ioctl: %w", syscall.ENODEV)
	case w.taken:
		return fmt.Errorf("line_request ioctl: %w", syscall.EBUSY)
	}
	return nil
}

func (w *wire) In(pull gpio.Pull, edge gpio.Edge) error {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	if err := w.usable(); err != nil {
		return err
	}
	if edge != gpio.NoEdge && w.deaf {
		return errors.New("no interrupts on this chip")
	}
	w.output, w.pull, w.edge = false, pull, edge
	w.of.flow()
	return nil
}

func (w *wire) Out(l gpio.Level) error {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	if err := w.usable(); err != nil {
		return err
	}
	w.output, w.level = true, l
	w.of.flow()
	return nil
}

func (w *wire) Read() gpio.Level {
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

func (w *wire) WaitForEdge(timeout time.Duration) bool {
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

func (w *wire) Close() {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.released++
}

func (w *wire) Name() string                          { return w.name }
func (w *wire) String() string                        { return w.name }
func (w *wire) Number() int                           { return -1 }
func (w *wire) Function() string                      { return "" }
func (w *wire) Halt() error                           { return nil }
func (w *wire) Pull() gpio.Pull                       { return w.pull }
func (w *wire) DefaultPull() gpio.Pull                { return gpio.PullDown }
func (w *wire) PWM(gpio.Duty, physic.Frequency) error { return errors.New("no PWM") }
