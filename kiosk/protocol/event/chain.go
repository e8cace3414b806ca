package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// Errors of Follows.
var (
	ErrSequence = errors.New("event is not the next in sequence")
	ErrLink     = errors.New("event does not link to the previous one")
)

// Follows returns nil if e comes directly after the event with this sequence number
// and link, otherwise ErrSequence or ErrLink. Before the first event they are 0 and
// nil. Follows skips the link if it is unknown: after an event of TypeLost, whose
// Link is nil, and before an event without Prev that takes the place of another.
func (e Opened) Follows(sequence uint64, link []byte) error {
	if e.Sequence != sequence+1 {
		return fmt.Errorf("%w: %d after %d", ErrSequence, e.Sequence, sequence)
	}
	unknown := sequence > 0 && len(link) == 0 || standsIn(e.Type) && len(e.Prev) == 0
	if !unknown && !bytes.Equal(e.Prev, link) {
		return fmt.Errorf("%w: at %d", ErrLink, e.Sequence)
	}
	return nil
}

// ParseLink reads a link as the payload of TypeParked and events without evidence have it.
func ParseLink(text string) ([]byte, error) {
	link, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(link) != LinkSize {
		return nil, errors.New("link is not base64url of 32 bytes")
	}
	return link, nil
}

// LinkAfter returns what the event after an event of this type, link and payload must
// have as Prev: its own link, or that of the event whose place it takes. After
// TypeLost that link is unknown and nil.
func LinkAfter(kind string, own []byte, payload json.RawMessage) ([]byte, error) {
	switch kind {
	case TypeLost:
		return nil, nil
	case TypeParked:
		var p Parked
		if err := json.Unmarshal(payload, &p); err != nil {
			return nil, errors.New("payload is not that of " + kind)
		}
		return ParseLink(p.Link)
	}
	return own, nil
}
