package event

import (
	"bytes"
	"errors"
	"fmt"
)

// Why an event is not in its place.
var (
	ErrSequence = errors.New("event is not the next in sequence")
	ErrLink     = errors.New("event does not link to the one before")
)

// Follows tells whether e comes right after the event of this sequence number
// and link: 0 and nil before the first. Any other event is ErrSequence or
// ErrLink.
func (e Opened) Follows(sequence uint64, link []byte) error {
	if e.Sequence != sequence+1 {
		return fmt.Errorf("%w: %d after %d", ErrSequence, e.Sequence, sequence)
	}
	if !bytes.Equal(e.Prev, link) {
		return fmt.Errorf("%w: at %d", ErrLink, e.Sequence)
	}
	return nil
}
