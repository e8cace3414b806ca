package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/hubapi"
)

// Places to which ResetFeed can move a reader, besides a time (RFC 3339) and a cursor.
const (
	FeedStart = "start" // the first event that the hub still has
	FeedEnd   = "end"   // behind the last event
)

// ReviewsReader is the name of the hub's own reviews for ResetFeed.
const ReviewsReader = reviewsReader

// FeedReset says what ResetFeed did. The counts are of messages, which hold one event or more.
type FeedReset struct {
	Before, After string // cursors
	Skipped       uint64 // messages that the reader does not get; if Known
	Repeated      uint64 // messages that the reader gets again; if Known
	Known         bool   // the cursor before belonged to this stream
	Left          uint64 // messages that the reader gets from now on
}

// ResetFeed moves the cursor of a consumer, or of the hub's own reviews, in the hub of a
// folder, which may be running. A consumer that is reading meanwhile may move it on with its
// next acknowledgement.
func ResetFeed(dir, reader, to string) (done FeedReset, err error) {
	err = useStream(dir, func(ctx context.Context, s *feedStore) error {
		done, err = s.reset(ctx, reader, to)
		return err
	})
	if err != nil {
		err = fmt.Errorf("cannot move the cursor of %s: %w", reader, err)
	}
	return done, err
}

// feedStore is the stream of events and its readers, for commands.
type feedStore struct {
	registry *registry
	events   eventLog
	cursors  jetstream.KeyValue
}

// useStream calls f with the stream of the hub in a folder, which may be running.
func useStream(dir string, f func(ctx context.Context, s *feedStore) error) error {
	return useRegistry(dir, func(ctx context.Context, r *registry) (err error) {
		s := &feedStore{registry: r}
		if s.events, err = openEvents(ctx, r.js); err != nil {
			return err
		}
		if s.cursors, err = openCursors(ctx, r.js); err != nil {
			return err
		}
		return f(ctx, s)
	})
}

func (s *feedStore) reset(ctx context.Context, reader, to string) (done FeedReset, err error) {
	if reader != reviewsReader && !hubapi.ValidName(reader) {
		return done, fmt.Errorf("there is no consumer with this name; the hub's own reviews are %s", reviewsReader)
	}
	info, err := streamInfo(ctx, s.events)
	if err != nil {
		return done, err
	}
	_, acknowledged, native, err := nativePlace(ctx, s.events, reader)
	if err != nil {
		return done, err
	}
	var before cursor
	if native {
		before, err = at(ctx, s.events, info, position{place: acknowledged})
	} else {
		before, err = readCursor(ctx, s.cursors, reader)
	}
	if err == nil && !native {
		err = s.checkReader(ctx, reader, before)
	}
	if err != nil {
		return done, err
	}
	after, err := s.target(ctx, info, to)
	if err != nil {
		return done, err
	}
	if native {
		after.place = max(after.place+1, info.State.FirstSeq) - 1 // it cannot read the archive
		err = moveNative(ctx, s.events, reader, after.place)
	} else {
		_, err = s.cursors.Put(ctx, reader, []byte(after.text()))
	}
	if err != nil {
		return done, err
	}
	if reader == reviewsReader {
		// A running hub creates it again, at the cursor.
		if err := s.events.DeleteConsumer(ctx, reviewer); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return done, err
		}
	}
	done = FeedReset{Before: before.text(), After: after.text()}
	if done.Left, err = s.between(ctx, after.place, info.State.LastSeq); err != nil {
		return done, err
	}
	if done.Known = before.belongs(ctx, s.events, info) == nil; done.Known {
		if done.Skipped, err = s.between(ctx, before.place, after.place); err == nil {
			done.Repeated, err = s.between(ctx, after.place, before.place)
		}
	}
	return done, err
}

// checkReader returns an error for a name that no reader has.
func (s *feedStore) checkReader(ctx context.Context, reader string, at cursor) error {
	if reader == reviewsReader || at.revision > 0 {
		return nil
	}
	_, revision, err := s.registry.get(ctx, hubapi.Identity{Role: hubapi.RoleConsumer, Name: reader})
	if err == nil && revision == 0 {
		err = errors.New("there is no consumer with this name")
	}
	return err
}

// target returns the cursor that an operator names.
func (s *feedStore) target(ctx context.Context, info *jetstream.StreamInfo, to string) (cursor, error) {
	switch to {
	case FeedStart:
		return cursor{}, nil
	case FeedEnd:
		return at(ctx, s.events, info, position{place: info.State.LastSeq})
	}
	if since, err := time.Parse(time.RFC3339, to); err == nil {
		place, err := s.events.before(ctx, since)
		if err != nil {
			return cursor{}, err
		}
		return at(ctx, s.events, info, position{place: place})
	}
	c, err := parseCursor(to)
	if err != nil {
		return cursor{}, fmt.Errorf("%q is not start, end, a time such as 2026-11-29T12:00:00Z, or a cursor of the feed", to)
	}
	if err := c.belongs(ctx, s.events, info); err != nil {
		return cursor{}, err
	}
	return at(ctx, s.events, info, c.position)
}

// between returns how many messages there are behind a place, up to another one.
func (s *feedStore) between(ctx context.Context, after, through uint64) (messages uint64, err error) {
	if through <= after {
		return 0, nil
	}
	all, err := s.events.behind(ctx, after)
	if err != nil {
		return 0, err
	}
	rest, err := s.events.behind(ctx, through)
	return all - min(all, rest), err
}
