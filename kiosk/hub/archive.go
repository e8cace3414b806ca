package hub

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/event"
)

// A second stream, the archive, holds the events whose evidence is too old. Retention copies
// the oldest messages of the stream of events there, without the evidence, and then deletes
// them from the stream:
//
//	stream of events    . . . . . 6 7 8 9     with evidence
//	archive             1 2 3 4 5             without
//
// An archived message keeps its place: cursors stay valid, and the feed reads first the archive
// and then the stream. The steps have this order, so that a stop between any two of them loses
// nothing and repeats nothing:
//
//  1. A hub copies a message. JetStream stores it only if the archive has not grown since the
//     hub read its end, so several hubs copy each message once.
//  2. It deletes from the stream what is in the archive. If it stops before that, the stream
//     and the archive both have some messages; then readers take those of the stream.
//
// The last message of the stream always stays in it.
const (
	archiveStream  = "smartkiosk-archive"
	archiveSubject = "smartkiosk.archive." // + the ID of the stream of events, and the subject there without subjectRoot
	subjectRoot    = "smartkiosk."

	// The headers of an archived message.
	placeHeader  = "Smartkiosk-Place"  // in the stream of events
	storedHeader = "Smartkiosk-Stored" // when it was stored there, RFC 3339 with nanoseconds
)

// eventLog is the stream of events with its archive.
type eventLog struct {
	jetstream.Stream
	archive archive
}

// archive is the part of the archive that belongs to a stream of events. If that was created
// again, its earlier events are in the archive too, until they are too old.
type archive struct {
	jetstream.Stream
	js   jetstream.JetStream
	root string // archiveSubject and the ID of the stream of events
}

// openArchive opens the archive, or creates it.
func openArchive(ctx context.Context, js jetstream.JetStream, id string) (archive, error) {
	a := archive{js: js, root: archiveSubject + id + "."}
	config := jetstream.StreamConfig{Name: archiveStream, Subjects: []string{archiveSubject + ">"}, Storage: jetstream.FileStorage}
	var err error
	a.Stream, err = js.Stream(ctx, archiveStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) || err == nil && a.CachedInfo().Config.Replicas != replicasOf(js) {
		a.Stream, err = js.CreateOrUpdateStream(ctx, config)
	}
	return a, err
}

// subject is that of a message of the stream of events in the archive.
func (a archive) subject(of string) string { return a.root + of[len(subjectRoot):] }

// original is the opposite of subject.
func (a archive) original(subject string) string { return subjectRoot + subject[len(a.root):] }

// archived is a message of the archive.
type archived struct {
	*jetstream.RawStreamMsg
	place  uint64    // in the stream of events
	stored time.Time // there
}

func readArchived(msg *jetstream.RawStreamMsg) (m archived, err error) {
	m.RawStreamMsg = msg
	if m.place, err = strconv.ParseUint(msg.Header.Get(placeHeader), 10, 64); err == nil {
		m.stored, err = time.Parse(time.RFC3339Nano, msg.Header.Get(storedHeader))
	}
	if err != nil {
		return m, fmt.Errorf("cannot read the archive at %d: %w", msg.Sequence, err)
	}
	return m, nil
}

// last returns the last message with a subject, which may have wildcards, and false if there is
// none.
func (a archive) last(ctx context.Context, subject string) (archived, bool, error) {
	msg, err := a.GetLastMsgForSubject(ctx, subject)
	return found(msg, err)
}

// next returns the first message with a subject at a sequence number of the archive or later,
// and false if no such event exists.
func (a archive) next(ctx context.Context, subject string, sequence uint64) (archived, bool, error) {
	msg, err := a.GetMsg(ctx, sequence, jetstream.WithGetMsgSubject(subject))
	return found(msg, err)
}

func found(msg *jetstream.RawStreamMsg, err error) (archived, bool, error) {
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return archived{}, false, nil
	}
	if err != nil {
		return archived{}, false, storeError{err}
	}
	m, err := readArchived(msg)
	return m, err == nil, err
}

// first returns the first message with a subject for which reached is true, and false if
// no message has this. All messages behind it must have reached too.
func (a archive) first(ctx context.Context, subject string, reached func(archived) bool) (first archived, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	last, any, err := a.last(ctx, subject)
	if err != nil || !any || !reached(last) {
		return archived{}, false, err
	}
	first = last
	for low, high := uint64(1), last.Sequence; low < high; {
		middle := low + (high-low)/2
		m, any, err := a.next(ctx, subject, middle)
		switch {
		case err != nil:
			return archived{}, false, err
		case any && reached(m):
			first, high = m, middle
		case any:
			low = m.Sequence + 1
		default: // retention has deleted what was there
			return archived{}, false, nil
		}
	}
	return first, true, nil
}

// from returns the first message at a place or later.
func (a archive) from(ctx context.Context, place uint64) (archived, bool, error) {
	return a.first(ctx, a.root+">", func(m archived) bool { return m.place >= place })
}

// since returns the first message that was stored at a time or later.
func (a archive) since(ctx context.Context, t time.Time) (archived, bool, error) {
	return a.first(ctx, a.root+">", func(m archived) bool { return !m.stored.Before(t) })
}

// end returns the place of the last message, and the archive's own last sequence number.
func (a archive) end(ctx context.Context) (last archived, sequence uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	// Before the last message: if the archive grows meanwhile, add is refused.
	info, err := a.Info(ctx)
	if err != nil {
		return archived{}, 0, storeError{err}
	}
	last, _, err = a.last(ctx, a.root+">")
	return last, info.State.LastSeq, err
}

// add copies a message of the stream of events, with another text, behind the archive's last
// message. It fails with errOvertaken if sequence is not that of the last message.
func (a archive) add(ctx context.Context, msg *jetstream.RawStreamMsg, text []byte, sequence uint64) (uint64, error) {
	out := &nats.Msg{Subject: a.subject(msg.Subject), Data: text, Header: nats.Header{
		placeHeader:  {strconv.FormatUint(msg.Sequence, 10)},
		storedHeader: {msg.Time.UTC().Format(time.RFC3339Nano)},
	}}
	return publishMsg(ctx, a.js, out, jetstream.WithExpectLastSequence(sequence))
}

// withoutEvidence removes the evidence of all events of a message. An event that it cannot read
// stays as it is; err says why.
func withoutEvidence(message []byte) (text []byte, err error) {
	events := readMessage(message)
	for i, e := range events {
		without, bad := event.WithoutEvidence(e)
		if bad == nil {
			events[i] = without
		}
		err = errors.Join(err, bad)
	}
	return joinMessage(events), err
}

// last returns the last message of a subject, and its place if it is archived. It returns nil if
// the subject has no message.
func (l eventLog) last(ctx context.Context, subject string) (msg *jetstream.RawStreamMsg, archivedAt uint64, err error) {
	msg, err = l.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		old, _, err := l.archive.last(ctx, l.archive.subject(subject))
		return old.RawStreamMsg, old.place, err
	}
	if err != nil {
		return nil, 0, storeError{err}
	}
	return msg, 0, nil
}

// next returns the place of the first message after a place, as the leaders of the stream and
// of the archive have it.
func (l eventLog) next(ctx context.Context, after uint64) (place uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	msg, err := l.GetMsg(ctx, after+1, jetstream.WithGetMsgSubject(">"))
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, err
	}
	// After the stream, from which retention moves messages to the archive.
	old, ok, archiveErr := l.archive.from(ctx, after+1)
	switch {
	case archiveErr != nil:
		return 0, archiveErr
	case ok && (err != nil || old.place < msg.Sequence):
		return old.place, nil
	case err != nil:
		return 0, err
	}
	return msg.Sequence, nil
}

// before returns the place before the first message that was stored at a time or later.
func (l eventLog) before(ctx context.Context, since time.Time) (place uint64, err error) {
	reader, err := l.CreateConsumer(ctx, jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: readerLife,
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since,
	})
	if err != nil {
		return 0, err
	}
	defer dismiss(ctx, l.Stream, reader)
	// JetStream sets this to the place before the first message of the reader.
	place = reader.CachedInfo().Delivered.Stream
	// After the stream, from which retention moves messages to the archive.
	if m, ok, err := l.archive.since(ctx, since); err != nil {
		return 0, err
	} else if ok {
		place = min(place, m.place-1)
	}
	return place, nil
}

// behind returns how many messages there are behind a place.
func (l eventLog) behind(ctx context.Context, place uint64) (messages uint64, err error) {
	info, err := streamInfo(ctx, l)
	if err != nil {
		return 0, err
	}
	if messages, err = pending(ctx, l.Stream, ">", place+1); err != nil || place+1 >= info.State.FirstSeq {
		return messages, err
	}
	for i, from := range []uint64{place + 1, info.State.FirstSeq} {
		m, ok, err := l.archive.from(ctx, from)
		if err != nil || !ok {
			return messages, err
		}
		n, err := pending(ctx, l.archive.Stream, l.archive.root+">", m.Sequence)
		if err != nil {
			return 0, err
		}
		if i == 0 {
			messages += n
		} else { // the stream has them too
			messages -= n
		}
	}
	return messages, nil
}

// pending returns how many messages of a stream there are from a sequence number on.
func pending(ctx context.Context, stream jetstream.Stream, subject string, start uint64) (messages uint64, err error) {
	reader, err := newReader(ctx, stream, subject, start)
	if err != nil {
		return 0, err
	}
	defer dismiss(ctx, stream, reader)
	return reader.CachedInfo().NumPending, nil
}

// wentBack returns why the archive does not belong to the stream as it is now, or nil. An
// archived message is not in the stream any more, or is the same there.
func (l eventLog) wentBack(ctx context.Context, info *jetstream.StreamInfo) (why, err error) {
	last, _, err := l.archive.end(ctx)
	if err != nil || last.RawStreamMsg == nil {
		return nil, err
	}
	if last.place > info.State.LastSeq {
		return fmt.Errorf("the archive ends at %d, but the stream at %d: it was restored or damaged", last.place, info.State.LastSeq), nil
	}
	if last.place < info.State.FirstSeq {
		return nil, nil
	}
	msg, err := l.GetMsg(ctx, last.place)
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, storeError{err}
	}
	if err == nil && !msg.Time.Equal(last.stored) {
		return fmt.Errorf("the stream has another event at %d, where the archive ends: it was restored or damaged, and has grown since", last.place), nil
	}
	return nil, nil
}
