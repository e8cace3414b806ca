package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/hubapi"
)

// RetentionConfig says how long the hub stores events. It deletes none before every required
// reader has acknowledged it: all registered consumers except the optional ones, and the hub's
// own reviews. It always keeps the last event of each epoch of a kiosk, to which the kiosk's
// next one links.
type RetentionConfig struct {
	EventsDays int      `toml:"events_days"` // after that an event is deleted
	MaxGiB     float64  `toml:"max_gib"`     // size of the stream from which on the oldest events are deleted earlier; 0 means no limit
	Optional   []string `toml:"optional"`    // consumers for which the hub does not wait
}

func (c RetentionConfig) check() error {
	switch {
	case c.EventsDays < 1 || c.EventsDays > 100*366:
		return errors.New("retention.events_days must be from 1 to 36600")
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

	// maxSilence is how long after the newest event the hub still deletes by age. If its clock
	// is further ahead, it is more likely wrong than that nothing has happened since.
	maxSilence = 30 * 24 * time.Hour

	// deletedReader is the entry in the bucket of cursors that says up to where events were
	// deleted.
	deletedReader = "hub.deleted"
)

// retain deletes old events until ctx ends.
func (h *Hub) retain(ctx context.Context) {
	for {
		pause := retentionInterval
		deleting, cancel := context.WithTimeout(ctx, retentionTime)
		err := h.deleteOld(deleting)
		cancel()
		if err != nil && ctx.Err() == nil {
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
	wanted, err := h.expired(ctx, info)
	if err != nil || wanted == 0 {
		return err
	}
	through, slowest, err := h.acknowledgedByAll(ctx, info)
	if err != nil {
		return err
	}
	if through < wanted {
		h.log.Warn("old events are kept, because a reader has not acknowledged them", "caller", slowest, "place", through, "high_water", wanted)
	}
	if through = min(through, wanted); through == 0 {
		return nil
	}
	return h.deleteThrough(ctx, info, through)
}

// expired returns the place up to which events are too old, or too many.
func (h *Hub) expired(ctx context.Context, info *jetstream.StreamInfo) (place uint64, err error) {
	c, now := h.config.Retention, h.now()
	if now.Sub(info.State.LastTime) < maxSilence {
		oldest := now.AddDate(0, 0, -c.EventsDays)
		if info.State.FirstTime.Before(oldest) {
			if place, err = placeBefore(ctx, h.events, oldest); err != nil {
				return 0, storeError{err}
			}
		}
	}
	if limit := uint64(c.MaxGiB * (1 << 30)); limit > 0 && info.State.Bytes > limit {
		// As if all messages had the same size. The next run deletes the rest.
		span := float64(info.State.LastSeq - info.State.FirstSeq + 1)
		part := float64(info.State.Bytes-limit) / float64(info.State.Bytes)
		place = max(place, info.State.FirstSeq-1+uint64(span*part))
	}
	return place, nil
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

// deleteThrough deletes the messages up to a place, except the last one of each subject.
func (h *Hub) deleteThrough(ctx context.Context, info *jetstream.StreamInfo, through uint64) error {
	mark, err := at(ctx, h.events, info, position{place: through})
	if err != nil {
		return err
	}
	// First, so that no reader misses what is being deleted.
	if _, err := h.cursors.Put(ctx, deletedReader, []byte(mark.text())); err != nil {
		return storeError{err}
	}
	detailed, err := h.events.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return storeError{err}
	}
	for subject, messages := range detailed.State.Subjects {
		if messages < 2 {
			continue
		}
		last, err := h.events.GetLastMsgForSubject(ctx, subject)
		if err != nil {
			return storeError{err}
		}
		// JetStream deletes what is before this place.
		if err := h.events.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(min(last.Sequence, through+1))); err != nil {
			return storeError{err}
		}
	}
	after, err := streamInfo(ctx, h.events)
	if err != nil {
		return err
	}
	if n := detailed.State.Msgs - min(detailed.State.Msgs, after.State.Msgs); n > 0 {
		h.log.Info("old events deleted", "events", n, "place", through)
	}
	return nil
}
