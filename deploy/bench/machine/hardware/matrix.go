//go:build linux

package hardware

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Matrix is a pad of bare contacts between lines.
type Matrix struct {
	lines      *Lines
	rows, cols []int
	layout     []string

	mu      sync.Mutex
	gaze    gaze
	changed chan struct{} // closed at the next change of gaze
	presses []Pressed
}

// Pressed is what became of a press.
type Pressed struct {
	Idle  time.Duration // for how long the pad was at rest all the same; 0 when a scan was under way
	Held  time.Duration // how long it took until the key had been looked at often enough
	Stood time.Duration // for how long of that the machine stood still, at a time, at most
}

const (
	// unseen is how long nobody looks at a key, of the time for which the
	// machine runs: what it stands still is counted for no more than blink.
	unseen = 5 * time.Second
	blink  = 50 * time.Millisecond
	// tardy is for how long a pad is not at rest while a key is held, but in a
	// machine that stood still. Under load it is some 100 ms.
	tardy = 300 * time.Millisecond
)

// WireMatrix wires a pad's contacts, with the key map that it is used by.
func (l *Lines) WireMatrix(rows, cols []int, layout []string) *Matrix {
	m := &Matrix{lines: l, rows: rows, cols: cols, layout: layout, gaze: newGaze(rows), changed: make(chan struct{})}
	l.Watch(m.watch, rows...)
	return m
}

func (m *Matrix) watch(c Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gaze.change(c)
	close(m.changed)
	m.changed = make(chan struct{})
}

// Press implements [Keys]. A machine that stands still now and then would miss a
// quick finger: the key is held, and then left alone, until whoever reads the
// pad has been seen to look at it as often as he must, or for 5 s, which is an
// error. So is a key that the pad came upon without its edge.
func (m *Matrix) Press(key rune) error {
	row, _, err := m.find(key)
	if err != nil {
		return err
	}
	began := monotonic()
	m.mu.Lock()
	m.gaze.begin(began)
	m.mu.Unlock()
	if err := m.Hold(key); err != nil {
		return err
	}
	still := monotonic()
	stood, err := m.await(pressed, func(g *gaze) bool { return g.enough(row, still) })
	if err != nil {
		return fmt.Errorf("a key of row GPIO%d, held: %w", row, err)
	}
	p := Pressed{m.idle(), monotonic() - began, max(stood, still-began)}
	m.presses = append(m.presses, p)

	letting := monotonic() // before it is still: the pad may rest sooner than this goes on
	if err := m.Let(key); err != nil {
		return err
	}
	still = monotonic()
	if _, err := m.await(released, func(g *gaze) bool { return g.restsSince(letting) || g.enough(row, still) }); err != nil {
		return fmt.Errorf("a key of row GPIO%d, let go: %w", row, err)
	}
	if p.Idle > tardy && p.Stood < p.Idle/2 {
		return fmt.Errorf("a key's edge was lost: the pad was at rest for %v while it was held, in a machine that stood still for %v at most", p.Idle, p.Stood)
	}
	return nil
}

func (m *Matrix) idle() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gaze.idle
}

// await waits until something is so, at least for a time, and tells for how long
// the machine stood still.
func (m *Matrix) await(least time.Duration, so func(*gaze) bool) (stood time.Duration, err error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	began := monotonic()
	var ran time.Duration
	for last := began; ; {
		m.mu.Lock()
		done, changed := so(&m.gaze), m.changed
		m.mu.Unlock()
		now := monotonic()
		stood, ran, last = max(stood, now-last), ran+min(now-last, blink), now
		switch {
		case done && now-began >= least:
			return stood, nil
		case ran > unseen:
			return stood, fmt.Errorf("nobody looked at it often enough in %v", unseen)
		}
		select {
		case <-changed:
		case <-tick.C:
		}
	}
}

// Presses tells of every key pressed.
func (m *Matrix) Presses() []Pressed { return m.presses }

// Hold presses a key until Let. It ends when the contact has bounced.
func (m *Matrix) Hold(key rune) error { return m.move(key, m.lines.Press) }

// Let lets it go.
func (m *Matrix) Let(key rune) error { return m.move(key, m.lines.Release) }

func (m *Matrix) move(key rune, contact func(row, col int) error) error {
	row, col, err := m.find(key)
	if err != nil {
		return err
	}
	return contact(row, col)
}

// find gives the lines of a key.
func (m *Matrix) find(key rune) (row, col int, err error) {
	for i, keys := range m.layout {
		if j := strings.IndexRune(keys, key); j >= 0 {
			return m.rows[i], m.cols[j], nil
		}
	}
	return 0, 0, fmt.Errorf("the pad has no key %c", key)
}

// Col gives the line of a column of keys, from 0 at the left.
func (m *Matrix) Col(col int) int { return m.cols[col] }
