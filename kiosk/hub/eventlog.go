package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/event"
)

// stored is an event of a kiosk in the stream. The zero value stands for
// there being none.
type stored struct {
	place    uint64 // in the stream
	sequence uint64 // the kiosk's own
	link     []byte // that the next event must have
}

// errOvertaken says that another hub stored events of the same kiosk first.
var errOvertaken = errors.New("another hub stored events of this kiosk")

// lastOf gives the last event of a kiosk.
func (h *Hub) lastOf(ctx context.Context, kioskID string) (stored, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	msg, err := h.events.GetLastMsgForSubject(ctx, eventsSubject+kioskID)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return stored{}, nil
	}
	if err != nil {
		return stored{}, storeError{err}
	}
	return readStored(msg)
}

// find gives the event with this sequence of a kiosk whose last event is last
// and comes after it. Sequences rise with places, so it halves the stream.
func (h *Hub) find(ctx context.Context, kioskID string, sequence uint64, last stored) (stored, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	low, high := uint64(1), last.place
	for low < high {
		middle := low + (high-low)/2
		// The first of this kiosk at middle or after; last is one, so there is.
		msg, err := h.events.GetMsg(ctx, middle, jetstream.WithGetMsgSubject(eventsSubject+kioskID))
		if err != nil {
			return stored{}, storeError{err}
		}
		at, err := readStored(msg)
		switch {
		case err != nil:
			return stored{}, err
		case at.sequence == sequence:
			return at, nil
		case at.sequence < sequence:
			low = at.place + 1
		default:
			high = middle
		}
	}
	return stored{}, fmt.Errorf("cannot find sequence %d of kiosk %s in the stream", sequence, kioskID)
}

// publish stores events behind the kiosk's message at place, each on disk
// before the next. It stops with errOvertaken when there is a later message.
func (h *Hub) publish(ctx context.Context, kioskID string, place uint64, events []event.Opened) error {
	for _, e := range events {
		text, err := e.Plain()
		if err != nil {
			return err
		}
		if place, err = h.publishOne(ctx, eventsSubject+kioskID, place, text); err != nil {
			return err
		}
	}
	return nil
}

func (h *Hub) publishOne(ctx context.Context, subject string, place uint64, text []byte) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	ack, err := h.js.Publish(ctx, subject, text, jetstream.WithExpectLastSequencePerSubject(place))
	if refused, ok := errors.AsType[*jetstream.APIError](err); ok &&
		(refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
			refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant) {
		return 0, errOvertaken
	}
	if err != nil {
		return 0, storeError{err}
	}
	return ack.Sequence, nil
}

// readStored reads what the next event has to be held against.
func readStored(msg *jetstream.RawStreamMsg) (stored, error) {
	var plain struct {
		Sequence string          `json:"sequence"`
		Type     string          `json:"type"`
		JWS      string          `json:"jws"`
		Data     json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(msg.Data, &plain); err != nil {
		return stored{}, fmt.Errorf("cannot read the stream at %d: %w", msg.Sequence, err)
	}
	sequence, err := strconv.ParseUint(plain.Sequence, 10, 64)
	if err != nil {
		return stored{}, fmt.Errorf("cannot read the stream at %d: %w", msg.Sequence, err)
	}
	link, err := event.LinkAfter(plain.Type, plain.JWS, plain.Data)
	if err != nil {
		return stored{}, fmt.Errorf("cannot read the stream at %d: %w", msg.Sequence, err)
	}
	return stored{place: msg.Sequence, sequence: sequence, link: link}, nil
}
