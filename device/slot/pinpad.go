package slot

import (
	"context"
	"errors"
)

// PINPad is a Conn whose reader may have keys of its own, on which the holder
// types a PIN that no program ever sees (PC/SC part 10).
type PINPad interface {
	Conn
	// HasPINPad tells whether the reader takes PINs itself.
	HasPINPad() bool
	// VerifyOnPad has the reader ask for a PIN, put it into the command and
	// send that once. It gives the card's response. Errors: those of
	// Transmit, and ErrPadCancelled, ErrPadTimeout and ErrPadLength, with
	// which nothing was sent to the card.
	VerifyOnPad(ctx context.Context, e PINEntry) (response []byte, err error)
}

// PINEntry is what a reader needs to know to ask for a PIN.
type PINEntry struct {
	Command  []byte // VERIFY, short form: header, Lc, and as many bytes of padding
	BCD      bool   // two digits a byte; a byte each if not
	Min, Max int    // digits
}

// Why a reader sent nothing.
var (
	ErrPadCancelled = errors.New("the holder cancelled on the reader")
	ErrPadTimeout   = errors.New("the holder typed nothing on the reader")
	ErrPadLength    = errors.New("the holder typed too few or too many digits on the reader")
)
