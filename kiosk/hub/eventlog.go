package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/event"
)

// stored describes an event of a kiosk in the stream. The zero value means that the
// kiosk has no event yet.
type stored struct {
	place    uint64 // its message's sequence number in the stream
	sequence uint64 // the kiosk's sequence number
	link     []byte // the link that the next event must have; nil if any is accepted
	kept     bool   // the message is the hub's note about the event with this sequence, which comes before it: see join.go
}

// errOvertaken means that another hub has stored events of the same kiosk first.
var errOvertaken = errors.New("another hub stored events of this kiosk")

// lastOf returns the last event of a kiosk.
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
	_, last, err := readEnds(msg)
	return last, err
}

// find returns a kiosk's event with this sequence number, which comes before last, the
// kiosk's last event. Sequence numbers rise with the places in the stream, so this is a
// binary search.
func (h *Hub) find(ctx context.Context, kioskID string, sequence uint64, last stored) (stored, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	low, high := uint64(1), last.place+1
	for low < high {
		middle := low + (high-low)/2
		// The kiosk's first message at middle or later. There is one: that of last.
		msg, err := h.events.GetMsg(ctx, middle, jetstream.WithGetMsgSubject(eventsSubject+kioskID))
		if err != nil {
			return stored{}, storeError{err}
		}
		first, final, err := readEnds(msg)
		switch {
		case err != nil:
			return stored{}, err
		case final.sequence < sequence:
			low = msg.Sequence + 1
		case first.sequence > sequence, first.kept:
			high = middle
		default:
			return readWithin(msg, int(sequence-first.sequence))
		}
	}
	return stored{}, fmt.Errorf("cannot find sequence %d of kiosk %s in the stream", sequence, kioskID)
}

// publish stores events after the kiosk's message at place and returns the last of them.
// Each message is on disk before the next is sent. publish stops with errOvertaken if
// the stream has a later message of this kiosk.
func (h *Hub) publish(ctx context.Context, kioskID string, place uint64, events []event.Opened) (last stored, err error) {
	var text []byte
	if len(events) > 1 {
		text = make([]byte, 0, maxMessage+event.MaxSize) // room for the event that makes it too large
	}
	for n := 0; len(events) > 0; events = events[n:] {
		if text, n, err = makeMessage(text, events); err != nil {
			return stored{}, err
		}
		done := h.scheduler.beginStoring()
		place, err = h.publishOne(ctx, eventsSubject+kioskID, place, text)
		if done(); err != nil {
			return stored{}, err
		}
		last = stored{place: place, sequence: events[n-1].Sequence, link: events[n-1].Link}
	}
	return last, nil
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

// readEnds reads a message's first and last event.
func readEnds(msg *jetstream.RawStreamMsg) (first, last stored, err error) {
	events := readMessage(msg.Data)
	if first, err = readStored(events[0], msg.Sequence); err != nil {
		return stored{}, stored{}, err
	}
	last, err = readStored(events[len(events)-1], msg.Sequence)
	return first, last, err
}

// readWithin reads the event at index i of a message.
func readWithin(msg *jetstream.RawStreamMsg, i int) (stored, error) {
	events := readMessage(msg.Data)
	if i >= len(events) {
		return stored{}, unreadable(msg.Sequence, errors.New("events are missing"))
	}
	return readStored(events[i], msg.Sequence)
}

// readStored reads those parts of an event that the next event must match.
func readStored(text []byte, place uint64) (stored, error) {
	var plain struct {
		Sequence string          `json:"sequence"`
		Type     string          `json:"type"`
		JWS      string          `json:"jws"`
		Data     json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(text, &plain); err != nil {
		return stored{}, unreadable(place, err)
	}
	if plain.Type == event.TypeKept {
		var kept event.Kept
		if err := json.Unmarshal(plain.Data, &kept); err != nil {
			return stored{}, unreadable(place, err)
		}
		return stored{place: place, sequence: kept.Sequence, kept: true}, nil
	}
	sequence, err := strconv.ParseUint(plain.Sequence, 10, 64)
	if err != nil {
		return stored{}, unreadable(place, err)
	}
	link, err := event.LinkAfter(plain.Type, plain.JWS, plain.Data)
	if err != nil {
		return stored{}, unreadable(place, err)
	}
	return stored{place: place, sequence: sequence, link: link}, nil
}
