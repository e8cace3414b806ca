// Package slot defines what a PC/SC reader (device/reader) and a software slot
// (device/cardsim) have in common: events about the card, and a connection to
// it. The package holds types only.
package slot

import (
	"context"
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
)

// State is what a slot holds.
type State int

const (
	NoReader State = iota // no reader, or no PC/SC service
	Empty
	Present // a card that answered to reset
	Mute    // a card that did not answer to reset: inserted the wrong way, or no chip card
)

func (s State) String() string {
	return [...]string{"no reader", "empty", "card present", "card mute"}[s]
}

// Event is a change of a slot's state.
type Event struct {
	State  State
	Reader string // the reader's PC/SC name, "" with NoReader
	ATR    []byte // the answer to reset, with Present (ISO 7816-3 §8)
	Err    error  // with NoReader: the reason, for the technician; may wrap a *NoMatchError
}

// NoMatchError means that there are readers, but none that the slot looks for.
type NoMatchError struct {
	Match   string   // what the name of the slot's reader must contain
	Readers []string // PC/SC names of the readers that are there, at least one
}

func (e *NoMatchError) Error() string {
	return fmt.Sprintf("no reader's name contains %q; there are %q", e.Match, e.Readers)
}

// Slot is a place that takes one card.
type Slot interface {
	// Watch sends the current state and then every change. It closes the
	// channel when ctx ends. If a card was replaced by another one unnoticed,
	// Watch sends Empty, then Present. If the receiver is slow, Watch leaves
	// out states that are already over.
	Watch(ctx context.Context) <-chan Event

	// Connect powers up the card and claims it exclusively until Close. It
	// fails with ErrNoCard when the slot holds no card.
	Connect(ctx context.Context) (Conn, error)
}

// Readers is a Slot that several readers form.
type Readers interface {
	Slot
	// ConnectTo is like Connect, but takes only the card in the reader that an Event
	// named.
	ConnectTo(ctx context.Context, reader string) (Conn, error)
}

// ConnectTo connects to the card in a reader. reader may be "", and s may have only one
// reader; then it calls s.Connect.
func ConnectTo(ctx context.Context, s Slot, reader string) (Conn, error) {
	if readers, ok := s.(Readers); ok && reader != "" {
		return readers.ConnectTo(ctx, reader)
	}
	return s.Connect(ctx)
}

// Conn is an exclusive connection to one card, one transaction long.
type Conn interface {
	apdu.Transmitter
	ATR() []byte
	// Close resets the card, so that no verified PIN outlives the visit, and
	// releases it. Close may be called after removal, and more than once.
	Close() error
}

// ErrNoCard says that there is no card, or that it did not answer to reset.
// Transmit and Connect return it (wrapped) when the card is removed.
var ErrNoCard = errors.New("no card")
