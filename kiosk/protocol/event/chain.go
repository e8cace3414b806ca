package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
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
// ErrLink. The link is not looked at where it cannot be known: after an event
// of TypeLost, whose Link is nil, and before one that was made without.
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

// LinkAfter gives what the event after one of this type, JWS and payload must
// have as Prev: the link of the JWS, or that of the event for which it stands,
// which after TypeLost nobody knows: nil.
func LinkAfter(kind, jws string, payload json.RawMessage) ([]byte, error) {
	switch kind {
	case TypeLost:
		return nil, nil
	case TypeParked:
		var p Parked
		if err := json.Unmarshal(payload, &p); err != nil {
			return nil, errors.New("payload is no " + kind)
		}
		link, err := base64.RawURLEncoding.Strict().DecodeString(p.Link)
		if err != nil || len(link) != LinkSize {
			return nil, errors.New("link is none")
		}
		return link, nil
	}
	return Link(jws), nil
}
