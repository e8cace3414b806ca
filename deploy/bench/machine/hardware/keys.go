//go:build linux

package hardware

import (
	"fmt"
	"strings"
	"time"
)

// Keys is a pad that somebody types on.
type Keys interface {
	// Hold presses a key until Let.
	Hold(key rune) error
	// Let lets it go.
	Let(key rune) error
}

// How long a finger presses a key, and is on its way to the next. A quick one
// takes half of that; but a look at a matrix, of which it takes three to tell a
// key, is some 20 ms in the machine and 1 ms on a Pi.
const (
	pressed  = 250 * time.Millisecond
	released = 150 * time.Millisecond
)

// Press presses a key and lets it go.
func Press(k Keys, key rune) error {
	if err := k.Hold(key); err != nil {
		return err
	}
	time.Sleep(pressed)
	if err := k.Let(key); err != nil {
		return err
	}
	time.Sleep(released)
	return nil
}

// Matrix is a pad of bare contacts between lines.
type Matrix struct {
	lines      *Lines
	rows, cols []int
	layout     []string
}

// WireMatrix wires a pad's contacts, with the key map that it is used by.
func (l *Lines) WireMatrix(rows, cols []int, layout []string) *Matrix {
	return &Matrix{l, rows, cols, layout}
}

// Hold implements [Keys].
func (m *Matrix) Hold(key rune) error { return m.move(key, m.lines.Press) }

// Let implements [Keys].
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

// Row gives the line of a row of keys, from 0 at the top.
func (m *Matrix) Row(row int) int { return m.rows[row] }

// Col gives the line of a column of keys, from 0 at the left.
func (m *Matrix) Col(col int) int { return m.cols[col] }
