//go:build linux

package hardware

import (
	"fmt"
	"strings"
	"time"
)

// Matrix is a keypad of bare contacts between lines.
type Matrix struct {
	lines      *Lines
	rows, cols []int
	layout     []string
}

// WireMatrix wires the contacts of a keypad with a layout, a string for each row.
func (l *Lines) WireMatrix(rows, cols []int, layout []string) *Matrix {
	return &Matrix{lines: l, rows: rows, cols: cols, layout: layout}
}

// Press implements [Keys].
func (m *Matrix) Press(key rune) error {
	if err := m.Hold(key); err != nil {
		return err
	}
	time.Sleep(pressed)
	if err := m.Release(key); err != nil {
		return err
	}
	time.Sleep(released)
	return nil
}

// Hold presses a key until Release. It returns when the contact has stopped
// bouncing.
func (m *Matrix) Hold(key rune) error { return m.move(key, m.lines.Press) }

// Release releases a key. It returns when the contact has stopped bouncing.
func (m *Matrix) Release(key rune) error { return m.move(key, m.lines.Release) }

func (m *Matrix) move(key rune, contact func(row, col int) error) error {
	row, col, err := m.find(key)
	if err != nil {
		return err
	}
	return contact(row, col)
}

// find returns the lines of a key.
func (m *Matrix) find(key rune) (row, col int, err error) {
	for i, keys := range m.layout {
		if j := strings.IndexRune(keys, key); j >= 0 {
			return m.rows[i], m.cols[j], nil
		}
	}
	return 0, 0, fmt.Errorf("the keypad has no key %c", key)
}

// Col returns the line of a column of keys, counted from 0 at the left.
func (m *Matrix) Col(col int) int { return m.cols[col] }
