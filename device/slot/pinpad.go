package slot

import (
	"context"
	"errors"
	"time"
)

// PINPad is a Conn whose reader may have its own keys. A PIN that the holder
// types on them reaches no program (PC/SC part 10).
type PINPad interface {
	Conn
	// HasPINPad reports whether the reader can ask for the PIN.
	HasPINPad() bool
	// VerifyOnPad has the reader ask for a PIN, insert it into the command
	// and send the command once. It returns the card's response. Errors:
	// those of Transmit; and ErrPadCancelled, ErrPadTimeout, ErrPadLength and
	// ErrPadRefused, with which nothing was sent to the card. After
	// ErrPadRefused HasPINPad returns false. An error that comes sooner than
	// TypingTime means ErrPadRefused, too.
	VerifyOnPad(ctx context.Context, e PINEntry) (response []byte, err error)
}

// TypingTime is the least time that a person needs to type a PIN, or that a reader
// should wait for one. When a reader fails sooner it has not asked for the PIN: it
// accepts only one length, refuses different minimum and maximum lengths, or its
// firmware has a fault. Drivers report these cases with different errors, so the time
// is the better sign.
const TypingTime = time.Second

// PINEntry describes a PIN to a reader.
type PINEntry struct {
	Command  []byte // VERIFY, short form: header, Lc, and as many bytes of padding
	BCD      bool   // two digits a byte; a byte each if not
	Min, Max int    // digits
}

// Reasons why a reader sent no PIN to the card.
var (
	ErrPadCancelled = errors.New("the holder cancelled on the reader")
	ErrPadTimeout   = errors.New("the holder typed nothing on the reader")
	ErrPadLength    = errors.New("the holder typed too few or too many digits on the reader")
	ErrPadRefused   = errors.New("the reader did not ask for the PIN")
)
