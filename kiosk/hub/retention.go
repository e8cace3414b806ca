package hub

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/hubapi"
)

// RetentionConfig says how long the hub stores events and their evidence. It deletes nothing
// before every required reader has acknowledged it: all registered consumers except the optional
// ones, and the hub's own reviews. It always keeps the last event of each epoch of a kiosk, to
// which the kiosk's next one links, without its evidence. Consumers do not get it any more.
type RetentionConfig struct {
	EventsDays   int      `toml:"events_days"`   // after that an event is deleted
	EvidenceDays int      `toml:"evidence_days"` // after that, or after EventsDays if that is less, the evidence of an event is deleted
	MaxGiB       float64  `toml:"max_gib"`       // size of all events from which on the oldest ones are deleted earlier; 0 means no limit
	Optional     []string `toml:"optional"`      // consumers for which the hub does not wait
}

func (c RetentionConfig) check() error {
	switch {
	case c.EventsDays < 1 || c.EventsDays > 100*366:
		return errors.New("retention.events_days must be from 1 to 36600")
	case c.EvidenceDays < 1 || c.EvidenceDays > 100*366:
		return errors.New("retention.evidence_days must be from 1 to 36600")
	case c.MaxGiB < 0:
		return errors.New("retention.max_gib must not be negative")
	}
	for _, name := range c.Optional {
		if !hubapi.ValidName(name) {
			return fmt.Errorf("retention.optional: %q is not the name of a consumer", name)
		}
	}
	return nil
}

const (
	retentionInterval = 6 * time.Hour
	retentionRetry    = 5 * time.Minute
	retentionTime     = 30 * time.Minute // for one run

	// archiveStep is how many messages are copied to the archive before they are deleted from
	// the stream.
	archiveStep = 1000

	// maxSilence is how long after the newest event the hub still deletes by age. If its clock
	// is further ahead, it is more likely wrong than that nothing has happened since.
	maxSilence = 30 * 24 * time.Hour

	// deletedReader is the entry in the bucket of cursors that says up to where events were
	// deleted.
	deletedReader = "hub.deleted"
)

// retain deletes old evidence and old events until ctx ends.
func (h *Hub) retain(ctx context.Context) {
	for {
		pause := retentionInterval
		deleting, cancel := context.WithTimeout(ctx, retentionTime)
		err := h.deleteOld(deleting)
		unfinished := deleting.Err() != nil
		cancel()
		switch {
		case ctx.Err() != nil:
		case unfinished:
			pause = 0 // there is much to archive
		case err != nil:
			h.log.Error("cannot delete old events", "err", err, "retry_in", retentionRetry)
			pause = retentionRetry
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

func (h *Hub) deleteOld(ctx context.Context) error {
	info, err := streamInfo(ctx, h.events)
	if err != nil || info.State.Msgs == 0 {
		return err
	}
	return h.deleteExpired(ctx, info)
}

func (h *Hub) deleteExpired(ctx context.Context, info *jetstream.StreamInfo) error {
	evidence, events, err := h.expired(ctx, info)
	if err != nil || evidence == 0 && events == 0 {
		return err
	}
	through, slowest, err := h.acknowledgedByAll(ctx, info)
	if err != nil {
		return err
	}
	if wanted := max(evidence, events); through < wanted && wanted >= info.State.FirstSeq {
		h.log.Warn("old events are kept, because a reader has not acknowledged them", "caller", slowest, "place", through, "high_water", wanted)
	}
	// First what needs no space on the disk.
	if err := h.deleteThrough(ctx, info, min(events, through)); err != nil {
		return err
	}
	return h.archiveThrough(ctx, info, min(evidence, through, info.State.LastSeq-1))
}

// expired returns the place up to which the evidence of events is too old, and the place up to
// which events are too old, or too many. 0 means none.
func (h *Hub) expired(ctx context.Context, info *jetstream.StreamInfo) (evidence, events uint64, err error) {
	c, now := h.config.Retention, h.now()
	if now.Sub(info.State.LastTime) < maxSilence {
		if evidence, err = h.events.before(ctx, now.AddDate(0, 0, -min(c.EvidenceDays, c.EventsDays))); err != nil {
			return 0, 0, storeError{err}
		}
		if events, err = h.events.before(ctx, now.AddDate(0, 0, -c.EventsDays)); err != nil {
			return 0, 0, storeError{err}
		}
	}
	old, err := streamInfo(ctx, h.events.archive)
	if err != nil {
		return 0, 0, err
	}
	limit := uint64(c.MaxGiB * (1 << 30))
	if limit == 0 || info.State.Bytes+old.State.Bytes <= limit {
		return evidence, events, nil
	}
	// As if all messages had the same size. The next run deletes the rest.
	surplus := info.State.Bytes + old.State.Bytes - limit
	if surplus < old.State.Bytes {
		m, ok, err := h.events.archive.next(ctx, h.events.archive.root+">", placeOfPart(old.State, surplus)+1)
		if err != nil {
			return 0, 0, err
		}
		if ok {
			events = max(events, m.place-1)
		}
		return evidence, events, nil
	}
	// Not the newest: a backup that is being made may have the archive as it is at its end, and
	// the stream as it was at its beginning.
	yesterday, err := h.events.before(ctx, now.Add(-24*time.Hour))
	if err != nil {
		return 0, 0, storeError{err}
	}
	place := min(placeOfPart(info.State, surplus-old.State.Bytes), yesterday)
	return max(evidence, place), max(events, place), nil
}

// placeOfPart returns the place up to which a stream has about so many bytes.
func placeOfPart(s jetstream.StreamState, bytes uint64) uint64 {
	span := float64(s.LastSeq - s.FirstSeq + 1)
	return s.FirstSeq - 1 + uint64(span*float64(bytes)/float64(s.Bytes))
}

// acknowledgedByAll returns the place up to which all required readers have acknowledged, and
// the reader that is the furthest behind.
func (h *Hub) acknowledgedByAll(ctx context.Context, info *jetstream.StreamInfo) (place uint64, slowest string, err error) {
	place = info.State.LastSeq
	behind := func(reader string, at uint64) {
		if at < place {
			place, slowest = at, reader
		}
	}
	reviews, err := h.events.Consumer(ctx, reviewer)
	if err != nil {
		return 0, "", storeError{err}
	}
	if about := reviews.CachedInfo(); about.NumPending > 0 || about.NumAckPending > 0 {
		behind(reviewsReader, about.AckFloor.Stream)
	}
	consumers, err := h.identities.registry.all(ctx, hubapi.RoleConsumer)
	if err != nil {
		return 0, "", err
	}
	for name, e := range consumers {
		if !e.Removed.IsZero() || slices.Contains(h.config.Retention.Optional, name) {
			continue
		}
		native, acknowledged, ok, err := nativePlace(ctx, h.events, name)
		if err != nil {
			return 0, "", err
		}
		if ok {
			if native.NumPending > 0 || native.NumAckPending > 0 {
				behind(name, acknowledged)
			}
			continue
		}
		at, err := h.cursor(ctx, name)
		if err != nil {
			return 0, "", err
		}
		err = at.belongs(ctx, h.events, info)
		if _, gone := errors.AsType[rolledBack](err); gone {
			at = cursor{} // the operator has not decided yet where it reads on
		} else if err != nil {
			return 0, "", err
		}
		if at.part > 0 {
			at.place-- // the message is not acknowledged as a whole
		}
		behind(name, at.place)
	}
	return place, slowest, nil
}

// archiveThrough moves the messages up to a place from the stream to the archive.
func (h *Hub) archiveThrough(ctx context.Context, info *jetstream.StreamInfo, through uint64) error {
	if through == 0 || through < info.State.FirstSeq {
		return nil
	}
	back, err := h.events.wentBack(ctx, info)
	if err = errors.Join(back, err); err != nil {
		return err
	}
	for moved := 0; ; {
		place, n, err := h.copyToArchive(ctx, through)
		if errors.Is(err, errOvertaken) {
			return nil // another hub is doing it
		}
		if err != nil {
			return err
		}
		// JetStream deletes what is before this place.
		if err := h.events.Purge(ctx, jetstream.WithPurgeSequence(place+1)); err != nil {
			return storeError{err}
		}
		if moved += n; n < archiveStep {
			if moved > 0 {
				h.log.Info("old evidence deleted", "events", moved, "place", through)
			}
			return nil
		}
	}
}

// copyToArchive copies up to archiveStep messages. It returns the place of the last message in
// the archive, and how many it has copied.
func (h *Hub) copyToArchive(ctx context.Context, through uint64) (place uint64, copied int, err error) {
	last, sequence, err := h.events.archive.end(ctx)
	if err != nil {
		return 0, 0, err
	}
	place = last.place
	for ; copied < archiveStep; copied++ {
		msg, err := h.events.GetMsg(ctx, place+1, jetstream.WithGetMsgSubject(">"))
		if err != nil {
			return place, copied, storeError{err} // through is before the last message
		}
		if msg.Sequence > through {
			break
		}
		text, bad := withoutEvidence(msg.Data)
		if bad != nil {
			h.log.Error("cannot delete the evidence of an event", "place", msg.Sequence, "err", bad)
		}
		done := h.scheduler.beginStoring()
		sequence, err = h.events.archive.add(ctx, msg, text, sequence)
		if done(); err != nil {
			return place, copied, err
		}
		place = msg.Sequence
	}
	return place, copied, nil
}

// deleteThrough deletes the messages up to a place from the stream and from the archive, except
// the last one of each branch.
func (h *Hub) deleteThrough(ctx context.Context, info *jetstream.StreamInfo, through uint64) error {
	if through == 0 {
		return nil
	}
	deleted, err := readCursor(ctx, h.cursors, deletedReader)
	if err != nil {
		return err
	}
	if deleted.place < through || deleted.stream != streamID(info) {
		mark, err := at(ctx, h.events, info, position{place: through})
		if err != nil {
			return err
		}
		// First, so that no reader misses what is being deleted.
		if _, err := h.cursors.Put(ctx, deletedReader, []byte(mark.text())); err != nil {
			return storeError{err}
		}
	}
	archive := h.events.archive
	old, err := streamInfo(ctx, archive)
	if err != nil {
		return err
	}
	end := old.State.LastSeq
	if behind, ok, err := archive.from(ctx, through+1); err != nil {
		return err
	} else if ok {
		end = behind.Sequence - 1
	}
	ofStream, err := deleteFrom(ctx, h.events, through, func(subject string) (uint64, error) { return h.lastOf(ctx, subject) })
	if err != nil {
		return err
	}
	ofArchive, err := deleteFrom(ctx, archive, end, func(subject string) (uint64, error) { return h.lastOfArchived(ctx, subject) })
	if err != nil {
		return err
	}
	if n := ofStream + ofArchive; n > 0 {
		h.log.Info("old events deleted", "events", n, "place", through)
	}
	return nil
}

// deleteFrom deletes the messages of a stream up to a sequence number, except those that keep
// names for a subject. It returns how many it has deleted.
func deleteFrom(ctx context.Context, stream jetstream.Stream, through uint64, keep func(subject string) (uint64, error)) (deleted uint64, err error) {
	before, err := stream.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return 0, storeError{err}
	}
	if before.State.Msgs == 0 || before.State.FirstSeq > through {
		return 0, nil
	}
	for subject := range before.State.Subjects {
		kept, err := keep(subject)
		if err != nil {
			return 0, err
		}
		// JetStream deletes what is before this place.
		if err := stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(min(kept, through+1))); err != nil {
			return 0, storeError{err}
		}
	}
	after, err := streamInfo(ctx, stream)
	if err != nil {
		return 0, err
	}
	return before.State.Msgs - min(before.State.Msgs, after.State.Msgs), nil
}

// lastOf returns the place of the last message of a subject in the stream.
func (h *Hub) lastOf(ctx context.Context, subject string) (uint64, error) {
	msg, err := h.events.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 1, nil // another hub has just archived it; nothing is before 1
	}
	if err != nil {
		return 0, storeError{err}
	}
	return msg.Sequence, nil
}

// lastOfArchived returns the sequence number of the archive's last message of a subject, if that
// is the last message of its branch.
func (h *Hub) lastOfArchived(ctx context.Context, subject string) (uint64, error) {
	const none = math.MaxUint64
	archive := h.events.archive
	if !strings.HasPrefix(subject, archive.root) {
		return none, nil // of a stream that is gone
	}
	_, err := h.events.GetLastMsgForSubject(ctx, archive.original(subject))
	if err == nil {
		return none, nil
	}
	if !errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, storeError{err}
	}
	last, ok, err := archive.last(ctx, subject)
	if !ok {
		return none, err
	}
	return last.Sequence, err
}
