// Package slot says what every place that takes a card has in common, be it a
// PC/SC reader (device/reader) or a software slot (device/cardsim): what
// happens in it, and how the card in it is spoken to. It holds types only.
package slot

import (
	"context"
	"errors"

	"smartkiosk/device/apdu"
)

// State is what a slot holds.
type State int

const (
	NoReader State = iota // no reader, or no PC/SC service
	Empty
	Present // a card that answered to reset
	Mute    // something that did not: a card put in the wrong way, or no card
)

func (s State) String() string {
	return [...]string{"no reader", "empty", "card present", "card mute"}[s]
}

// Event is a change of a slot's state.
type Event struct {
	State  State
	Reader string // the reader's name as PC/SC has it, "" with NoReader
	ATR    []byte // the answer to reset, with Present (ISO 7816-3 §8)
	Err    error  // why there is NoReader, for the technician
}

// Slot is a place that takes one card.
type Slot interface {
	// Watch sends the state found first and then every change until ctx
	// ends, when it closes the channel. A card swapped for another between
	// two looks is sent as Empty, then Present. The receiver may be slow:
	// nothing is lost but states that had already passed.
	Watch(ctx context.Context) <-chan Event

	// Connect powers the present card up and claims it exclusively until
	// Close. It fails with ErrNoCard when there is none (any more).
	Connect(ctx context.Context) (Conn, error)
}

// Conn is an exclusive connection to one card, one transaction long.
type Conn interface {
	apdu.Transmitter
	ATR() []byte
	// Close resets the card, so that no verified PIN outlives the visit, and
	// lets go of it. It is safe after removal and when called again.
	Close() error
}

// ErrNoCard says that the card is gone, was never there, or gave no answer to
// reset. Transmit and Connect return it (wrapped) when a card is pulled.
var ErrNoCard = errors.New("no card")
