package display

import (
	"errors"
	"fmt"
	"image"
)

// Part is a display as its controller sees it, without the manners of a
// [periph.io/x/conn/v3/display.TextDisplay], which [Text] adds. One goroutine
// at a time uses it; only Close may be called beside another method.
type Part interface {
	fmt.Stringer
	// Size tells how many rows and columns of letters there are.
	Size() (rows, cols int)
	// Start brings the part from any state, also that after a loss of power,
	// to where Draw can be called, and forgets what it was showing: the next
	// Draw writes everything.
	Start() error
	// Draw makes the part show this, writing only what differs from what it
	// shows. After an error the part must be started anew.
	Draw(Content) error
	// Check tells whether the part is there and still shows what was drawn,
	// or ErrBlind if it has no means to know.
	Check() error
	// Close lets go of the bus. What is shown stays. It does not wait for a
	// write that is stuck.
	Close() error
}

// ErrBlind is the answer of a part whose wires go one way only: it can be
// unplugged and plugged without anyone noticing.
var ErrBlind = errors.New("the display cannot be asked")

// Content is all that a part shows. It is the part's to read until Draw
// returns.
type Content struct {
	Cells   [][]rune    // a full grid: as many rows and columns as the part has
	Layout  Layout      // how a display of dots sets the letters
	Picture image.Image // shown instead of the letters by a display of dots; nil for none
	Cursor  Cursor
	Off     bool // shows nothing, and is dark where it can be
}

// Cursor marks a cell.
type Cursor struct {
	Row, Col   int
	Underlined bool
	Blinking   bool
}

// Layout is how a display of dots sets the rows of a frame; a display of cells
// has but one way.
type Layout int

const (
	// Plain sets every row alike.
	Plain Layout = iota
	// Heading sets the first row, of at most 16 letters, larger than the rest.
	Heading
	// Large sets the first two rows, of at most 16 letters each, over the
	// whole height, and shows no other.
	Large
)

// Frame is what an application wants shown.
type Frame struct {
	Rows    []string // top row first; what there is no room for is cut off
	Layout  Layout
	Picture image.Image // see Content; must not change once shown
}
