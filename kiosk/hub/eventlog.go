package hub

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/reconcile"
)

// The events of a kiosk are in several subjects of the stream, one for each branch of its
// history (see the package reconcile):
//
//	smartkiosk.events.<kiosk>                    events without an epoch, of older kiosks
//	smartkiosk.events.<kiosk>.<epoch>            an epoch
//	smartkiosk.events.<kiosk>.<epoch>.<branch>   further branches of an epoch
//
// Within a subject, sequence numbers rise without a gap. JetStream stores a message only if
// the subject's last message is still the one that the hub has checked, so several hubs can
// store events of one kiosk at the same time.

// noEpoch stands for the epoch of older kiosks in the subjects of its further branches.
const noEpoch = "0"

func mainSubject(kioskID, epoch string) string {
	if epoch == "" {
		return eventsSubject + kioskID
	}
	return eventsSubject + kioskID + "." + epoch
}

// branchSubject names a further branch by its first event, so that several hubs choose the
// same name.
func branchSubject(kioskID, epoch string, first reconcile.ID) string {
	return mainSubject(kioskID, cmp.Or(epoch, noEpoch)) + "." + hex.EncodeToString([]byte(first)[:8])
}

// history is what the hub knows of a kiosk's events.
type history struct {
	reconcile.Log
	parts []part // where each branch is in the stream
	fresh bool   // it was just read from the stream
}

type part struct {
	subject  string
	place    uint64 // of the subject's last message
	archived bool   // that message is in the archive, and the stream has none of the subject
}

// expected is the last message of the subject in the stream. 0 means that it has none.
func (p part) expected() uint64 {
	if p.archived {
		return 0
	}
	return p.place
}

func (y history) clone() *history {
	y.Branches, y.Opens, y.parts = slices.Clone(y.Branches), slices.Clone(y.Opens), slices.Clone(y.parts)
	y.fresh = false
	return &y
}

// newest returns the place of the kiosk's last event.
func (y *history) newest() (p reconcile.Place) {
	var place uint64
	for i, b := range y.Branches {
		if y.parts[i].place > place {
			place, p = y.parts[i].place, reconcile.Place{Epoch: b.Epoch, Sequence: b.Last}
		}
	}
	return p
}

// stored describes an event of a kiosk in the stream.
type stored struct {
	reconcile.Place
	id   reconcile.ID
	open *reconcile.Open
	kept bool // the message is a note of an older hub about the event with this sequence number, which comes before it
}

// errOvertaken means that another hub has stored events of the same kiosk first.
var errOvertaken = errors.New("another hub stored events of this kiosk")

// readHistory reads a kiosk's history from the stream.
func (h *Hub) readHistory(ctx context.Context, kioskID string) (*history, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	info, err := h.events.Info(ctx, jetstream.WithSubjectFilter(eventsSubject+kioskID+".>"))
	if err != nil {
		return nil, storeError{err}
	}
	// After the stream, from which retention moves messages to the archive.
	old, err := h.events.archive.Info(ctx, jetstream.WithSubjectFilter(h.events.archive.subject(eventsSubject+kioskID+".>")))
	if err != nil {
		return nil, storeError{err}
	}
	subjects := []string{mainSubject(kioskID, "")}
	for subject := range info.State.Subjects {
		subjects = append(subjects, subject)
	}
	for subject := range old.State.Subjects {
		subjects = append(subjects, h.events.archive.original(subject))
	}
	slices.Sort(subjects)
	y := &history{fresh: true}
	for _, subject := range slices.Compact(subjects) {
		if err := h.readBranch(ctx, y, subject); err != nil {
			return nil, err
		}
	}
	return y, nil
}

// readBranch adds the branch of a subject to a history. A subject without messages has none.
func (h *Hub) readBranch(ctx context.Context, y *history, subject string) error {
	archive := h.events.archive
	newest, archivedAt, err := h.events.last(ctx, subject)
	if err != nil || newest == nil {
		return err
	}
	in := part{subject, newest.Sequence, false}
	if archivedAt > 0 {
		in.place, in.archived = archivedAt, true
	}
	begin, ok, err := archive.next(ctx, archive.subject(subject), 1)
	if err != nil {
		return err
	}
	oldest := begin.RawStreamMsg
	if !ok {
		if oldest, err = h.events.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(subject)); err != nil {
			return storeError{err}
		}
	}
	first, _, err := readEnds(oldest)
	if err != nil {
		return err
	}
	_, last, err := readEnds(newest)
	if err != nil {
		return err
	}
	y.Branches = append(y.Branches, reconcile.Branch{Epoch: first.Epoch, First: first.Sequence, Last: last.Sequence, Tip: last.id})
	y.parts = append(y.parts, in)
	if first.open != nil {
		y.Opens = append(y.Opens, *first.open)
	}
	return nil
}

// reader returns the function with which the rules of the package reconcile read a history.
func (h *Hub) idReader(ctx context.Context, y *history) reconcile.Read {
	return func(branch int, sequence uint64) (reconcile.ID, error) {
		return h.find(ctx, y.parts[branch], sequence)
	}
}

// find returns the ID of the event with this sequence number in a branch that covers it.
// Sequence numbers rise with the places in the stream, so this is a binary search.
func (h *Hub) find(ctx context.Context, in part, sequence uint64) (reconcile.ID, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	archive := h.events.archive
	old, ok, err := archive.last(ctx, archive.subject(in.subject))
	if err != nil {
		return "", err
	}
	if ok {
		_, last, err := readEnds(old.RawStreamMsg)
		if err != nil {
			return "", err
		}
		if last.Sequence >= sequence {
			return findIn(ctx, archive.Stream, archive.subject(in.subject), old.Sequence, sequence)
		}
	}
	return findIn(ctx, h.events.Stream, in.subject, in.place, sequence)
}

// findIn searches the messages of a subject, of which the last is at end.
func findIn(ctx context.Context, stream jetstream.Stream, subject string, end, sequence uint64) (reconcile.ID, error) {
	low, high := uint64(1), end+1
	for low < high {
		middle := low + (high-low)/2
		// The first message at middle or later. There is one: that at end.
		msg, err := stream.GetMsg(ctx, middle, jetstream.WithGetMsgSubject(subject))
		if err != nil {
			return "", storeError{err}
		}
		first, last, err := readEnds(msg)
		switch {
		case err != nil:
			return "", err
		case last.Sequence < sequence:
			low = msg.Sequence + 1
		case first.Sequence > sequence, first.kept:
			high = middle
		default:
			return readWithin(msg, int(sequence-first.Sequence))
		}
	}
	return "", fmt.Errorf("cannot find sequence %d of %s in the stream", sequence, subject)
}

// publish stores events after a branch's last message. Each message is on disk before the
// next is sent. publish stops with errOvertaken if the stream has a later message of this
// branch.
func (h *Hub) publish(ctx context.Context, to part, events []event.Opened) (place uint64, err error) {
	var text []byte
	if len(events) > 1 {
		text = make([]byte, 0, maxMessage+event.MaxSize) // room for the event that makes it too large
	}
	place = to.expected()
	for n := 0; len(events) > 0; events = events[n:] {
		if text, n, err = makeMessage(text, events); err != nil {
			return 0, err
		}
		done := h.scheduler.beginStoring()
		place, err = h.publishOne(ctx, to.subject, place, text)
		if done(); err != nil {
			return 0, err
		}
	}
	return place, nil
}

func (h *Hub) publishOne(ctx context.Context, subject string, place uint64, text []byte) (uint64, error) {
	return publishMsg(ctx, h.js, &nats.Msg{Subject: subject, Data: text}, jetstream.WithExpectLastSequencePerSubject(place))
}

// publishMsg stores a message. It returns errOvertaken if the stream is not as expected.
func publishMsg(ctx context.Context, js jetstream.JetStream, msg *nats.Msg, expected jetstream.PublishOpt) (place uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	ack, err := js.PublishMsg(ctx, msg, expected)
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

// readWithin reads the ID of the event at index i of a message.
func readWithin(msg *jetstream.RawStreamMsg, i int) (reconcile.ID, error) {
	events := readMessage(msg.Data)
	if i >= len(events) {
		return "", unreadable(msg.Sequence, errors.New("events are missing"))
	}
	e, err := readStored(events[i], msg.Sequence)
	return e.id, err
}

// readStored reads those parts of an event that the next events must match.
func readStored(text []byte, place uint64) (stored, error) {
	var plain struct {
		Epoch    string          `json:"epoch"`
		Sequence string          `json:"sequence"`
		Type     string          `json:"type"`
		JWS      string          `json:"jws"`
		Link     string          `json:"link"` // without a jws: see event.WithoutEvidence
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
		return stored{Place: reconcile.Place{Sequence: kept.Sequence}, kept: true}, nil
	}
	sequence, err := strconv.ParseUint(plain.Sequence, 10, 64)
	if err != nil {
		return stored{}, unreadable(place, err)
	}
	link := event.Link(plain.JWS)
	if plain.JWS == "" {
		if link, err = event.ParseLink(plain.Link); err != nil {
			return stored{}, unreadable(place, err)
		}
	}
	if link, err = event.LinkAfter(plain.Type, link, plain.Data); err != nil {
		return stored{}, unreadable(place, err)
	}
	s := stored{Place: reconcile.Place{Epoch: plain.Epoch, Sequence: sequence}, id: reconcile.ID(link)}
	if plain.Type == event.TypeEpoch {
		if _, s.open, err = readOpen(plain.Data); err != nil {
			return stored{}, unreadable(place, err)
		}
	}
	return s, nil
}

// readOpen reads the payload of an announcement. after is the place of the kiosk's previous
// event.
func readOpen(payload []byte) (after reconcile.Place, open *reconcile.Open, err error) {
	var p event.Epoch
	if err := json.Unmarshal(payload, &p); err != nil {
		return reconcile.Place{}, nil, errors.New("payload is not that of " + event.TypeEpoch)
	}
	vouches, err := base64.RawURLEncoding.Strict().DecodeString(p.Vouches)
	switch {
	case err != nil, len(vouches) != 0 && len(vouches) != event.LinkSize:
		return reconcile.Place{}, nil, errors.New("vouches is not base64url of 32 bytes")
	case p.LostFrom > p.LostThrough, p.LostFrom == 0 && p.LostThrough != 0:
		return reconcile.Place{}, nil, fmt.Errorf("%d to %d is not a range of lost events", p.LostFrom, p.LostThrough)
	}
	return reconcile.Place{Epoch: p.AfterEpoch, Sequence: p.AfterSequence},
		&reconcile.Open{Epoch: p.LostEpoch, From: p.LostFrom, Through: p.LostThrough, Vouches: reconcile.ID(vouches)}, nil
}
