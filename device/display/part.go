package display

import (
	"errors"
	"fmt"
	"image"
)

// Part is the driver of one display controller. [Text] shows frames on it. Only
// one goroutine at a time uses a part, but Close may be called while another
// method runs.
type Part interface {
	fmt.Stringer
	// Size returns the number of rows and columns of letters.
	Size() (rows, cols int)
	// Start initializes the part, whatever state it is in, also after a loss of
	// power. The next Draw writes everything.
	Start() error
	// Draw shows the content. It writes only what has changed since the last
	// Draw. After an error the caller must call Start before the next Draw.
	Draw(Content) error
	// Check returns nil if the part answers and still shows what was drawn. It
	// returns ErrBlind if the part cannot be read.
	Check() error
	// Close releases the bus. The display keeps its content. Close does not
	// wait for a write that hangs.
	Close() error
}

// ErrBlind is returned by Check for a display that can be written but not read.
// The driver cannot notice when such a display is unplugged and plugged in again.
var ErrBlind = errors.New("the display cannot be read")

// Content is everything that a part shows. The part may read it until Draw
// returns.
type Content struct {
	Cells   [][]rune    // the full grid: Size rows of Size columns
	Layout  Layout      // how a graphics display sets the letters
	Picture image.Image // a graphics display shows it instead of the letters, or with Beside next to them; nil for none
}

// Layout tells a graphics display how large to set the rows of a frame.
// Character displays ignore it.
type Layout int

const (
	// Plain sets all rows in the small font.
	Plain Layout = iota
	// Heading sets the first row, of at most 16 letters, larger than the rest.
	Heading
	// Large sets the first two rows, of at most 16 letters each, so that they
	// fill the display. It shows no other rows.
	Large
	// Beside shows the Picture, of at most 64 dots, on the left, and the rows, of at
	// most BesideLetters each, on the right.
	Beside
)

// BesideLetters is the number of letters of a row next to a picture.
const BesideLetters = 10

// Frame is one screen of text or a picture.
type Frame struct {
	Rows    []string // the top row first; what does not fit is cut off
	Layout  Layout
	Picture image.Image // see Content; the caller must not change it afterwards
}
