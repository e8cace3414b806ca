package display

import (
	"fmt"
	"sync"
)

// Text shows frames on a part. It lays the rows of a frame out in the part's
// grid of letters, and starts the part again after an error. It is a [Device].
type Text struct {
	part       Part
	rows, cols int

	mu      sync.Mutex
	content Content
	failed  bool // the part must be started before the next Draw
}

// NewText starts a part. When it returns, the display is on and empty. It
// closes a part that cannot be started.
func NewText(part Part) (*Text, error) {
	t := &Text{part: part}
	t.rows, t.cols = part.Size()
	for range t.rows {
		t.content.Cells = append(t.content.Cells, make([]rune, t.cols))
	}
	t.clear()
	if err := t.Refresh(); err != nil {
		part.Close()
		return nil, err
	}
	return t, nil
}

// Show replaces what the display shows by a frame.
func (t *Text) Show(f Frame) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear()
	for row, letters := range f.Rows[:min(len(f.Rows), t.rows)] {
		col := 0
		for _, r := range letters {
			if col < t.cols {
				t.content.Cells[row][col] = r
			}
			col++
		}
	}
	t.content.Layout, t.content.Picture = f.Layout, f.Picture
	return t.draw()
}

// Refresh starts the part and writes everything again.
func (t *Text) Refresh() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = true
	return t.draw()
}

// Check reports whether the part still shows what was drawn; see [Part].
func (t *Text) Check() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.part.Check()
}

// Close closes the part. It does not wait for a write that hangs.
func (t *Text) Close() error { return t.part.Close() }

// draw draws the content. After an error the next draw starts the part first.
func (t *Text) draw() error {
	if t.failed {
		if err := t.part.Start(); err != nil {
			return fmt.Errorf("cannot start display: %w", err)
		}
	}
	t.failed = true
	if err := t.part.Draw(t.content); err != nil {
		return fmt.Errorf("cannot write to display: %w", err)
	}
	t.failed = false
	return nil
}

func (t *Text) clear() {
	for _, row := range t.content.Cells {
		for i := range row {
			row[i] = ' '
		}
	}
}
