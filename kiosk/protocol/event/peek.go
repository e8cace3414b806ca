package event

import "fmt"

// Peek reads the header of a sealed CloudEvent without the hub's key. Nothing in it
// is proven before the event is opened. The header has no Prev.
func Peek(cloudEvent []byte) (Header, error) {
	if len(cloudEvent) > MaxSize {
		return Header{}, fmt.Errorf("cannot read event: %w", ErrTooLarge)
	}
	o, err := readObject(cloudEvent)
	if err != nil {
		return Header{}, fmt.Errorf("cannot read event: %w: %w", ErrMalformed, err)
	}
	h, err := readHeader(o)
	if err != nil {
		return Header{}, fmt.Errorf("cannot read event: %w: %w", ErrMalformed, err)
	}
	h.Prev = nil
	return h, nil
}
