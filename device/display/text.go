package display

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"periph.io/x/conn/v3/display"
)

// Text is a part with the manners of a TextDisplay. It keeps the grid of
// letters that the part is to show, so that every kind of part wraps, scrolls,
// moves and takes UTF-8 in the same way, and hands the part the whole grid
// after each change.
//
// Rows and columns count from 0. A letter written in the last column is
// followed by one in the first of the next row; after the last row comes the
// first again, or with AutoScroll the rows move up.
type Text struct {
	part       Part
	rows, cols int

	mu       sync.Mutex
	content  Content
	row, col int
	scroll   bool
	marks    Cursor // its modes; the place is row, col
	failed   bool   // the part must be started
}

var _ display.TextDisplay = (*Text)(nil)

// NewText starts a part. The display is on and empty when it returns. A part
// that cannot be started is closed.
func NewText(part Part) (*Text, error) {
	t := &Text{part: part}
	t.rows, t.cols = part.Size()
	for range t.rows {
		t.content.Cells = append(t.content.Cells, make([]rune, t.cols))
	}
	t.blank()
	if err := t.Refresh(); err != nil {
		part.Close()
		return nil, err
	}
	return t, nil
}

// Show makes the display show a frame and nothing else, and puts the place of
// the next letter to the first row and column.
func (t *Text) Show(f Frame) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.blank()
	for row, letters := range f.Rows[:min(len(f.Rows), t.rows)] {
		col := 0
		for _, r := range letters {
			if col < t.cols {
				t.content.Cells[row][col] = r
			}
			col++
		}
	}
	t.content.Layout, t.content.Picture, t.content.Off = f.Layout, f.Picture, false
	return t.draw()
}

// Refresh starts the part anew and writes everything.
func (t *Text) Refresh() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = true
	return t.draw()
}

// Check tells whether the part still shows what it was given; see [Part].
func (t *Text) Check() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.part.Check()
}

// Close closes the part, without waiting for a write that is stuck.
func (t *Text) Close() error { return t.part.Close() }

// draw shows the content. After an error the next one starts the part first.
func (t *Text) draw() error {
	if t.failed {
		if err := t.part.Start(); err != nil {
			return fmt.Errorf("cannot start display: %w", err)
		}
	}
	t.failed = true
	t.content.Cursor = Cursor{t.row, min(t.col, t.cols-1), t.marks.Underlined, t.marks.Blinking}
	if err := t.part.Draw(t.content); err != nil {
		return fmt.Errorf("cannot write to display: %w", err)
	}
	t.failed = false
	return nil
}

func (t *Text) blank() {
	for _, row := range t.content.Cells {
		for i := range row {
			row[i] = ' '
		}
	}
	t.row, t.col = 0, 0
	t.content.Layout, t.content.Picture = Plain, nil
}

func (t *Text) change(f func()) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
	return t.draw()
}

// String names the part.
func (t *Text) String() string { return t.part.String() }

// Rows is the number of rows.
func (t *Text) Rows() int { return t.rows }

// Cols is the number of columns.
func (t *Text) Cols() int { return t.cols }

// MinRow is 0.
func (t *Text) MinRow() int { return 0 }

// MinCol is 0.
func (t *Text) MinCol() int { return 0 }

// Clear empties the display and moves to the first row and column.
func (t *Text) Clear() error { return t.change(t.blank) }

// Home moves to the first row and column.
func (t *Text) Home() error { return t.MoveTo(0, 0) }

// Display turns the display on or off; what it shows is kept.
func (t *Text) Display(on bool) error { return t.change(func() { t.content.Off = !on }) }

// AutoScroll sets what follows after the last row; see [Text].
func (t *Text) AutoScroll(enabled bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.scroll = enabled
	return nil
}

// Cursor sets how the place of the next letter is marked. A display that has
// no block blinks the cell.
func (t *Text) Cursor(modes ...display.CursorMode) error {
	var marks Cursor
	for _, mode := range modes {
		switch mode {
		case display.CursorOff:
		case display.CursorUnderline:
			marks.Underlined = true
		case display.CursorBlock, display.CursorBlink:
			marks.Blinking = true
		default:
			return fmt.Errorf("cannot set cursor mode %d: %w", mode, display.ErrInvalidCommand)
		}
	}
	return t.change(func() { t.marks = marks })
}

// MoveTo sets the place of the next letter.
func (t *Text) MoveTo(row, col int) error {
	if row < 0 || row >= t.rows || col < 0 || col >= t.cols {
		return fmt.Errorf("cannot move to row %d, column %d of a display of %d by %d", row, col, t.rows, t.cols)
	}
	return t.change(func() { t.row, t.col = row, col })
}

// Move moves the place of the next letter by one cell, and stops at the edge.
func (t *Text) Move(to display.CursorDirection) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch to {
	case display.Backward:
		t.col = max(t.col-1, 0)
	case display.Forward:
		t.col = min(t.col+1, t.cols-1)
	case display.Up:
		t.row = max(t.row-1, 0)
	case display.Down:
		t.row = min(t.row+1, t.rows-1)
	default:
		return fmt.Errorf("cannot move in direction %d: %w", to, display.ErrInvalidCommand)
	}
	return t.draw()
}

// Write shows UTF-8; see WriteString.
func (t *Text) Write(p []byte) (int, error) { return t.WriteString(string(p)) }

// WriteString shows UTF-8 from the place of the next letter on and tells how
// many bytes it took: all of them, or none with an error. A newline goes to the
// first column of the next row. What is not UTF-8 is shown as U+FFFD.
func (t *Text) WriteString(text string) (int, error) {
	err := t.change(func() {
		t.content.Layout, t.content.Picture = Plain, nil
		for _, r := range strings.ToValidUTF8(text, string(utf8.RuneError)) {
			t.put(r)
		}
	})
	if err != nil {
		return 0, err
	}
	return len(text), nil
}

func (t *Text) put(r rune) {
	if r == '\n' || t.col == t.cols {
		t.row, t.col = t.row+1, 0
		if t.row == t.rows {
			t.row = 0
			if t.scroll {
				t.row = t.rows - 1
				top := t.content.Cells[0]
				copy(t.content.Cells, t.content.Cells[1:])
				t.content.Cells[t.rows-1] = top
				for i := range top {
					top[i] = ' '
				}
			}
		}
	}
	if r != '\n' {
		t.content.Cells[t.row][t.col] = r
		t.col++
	}
}
