package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/hubapi"
)

// cursor is how far a consumer has acknowledged the stream.
type cursor struct {
	place    uint64 // of the last event dealt with; 0 before the first
	revision uint64 // of the bucket's entry; 0 when there is none
}

func (h *Hub) ackFeed(w http.ResponseWriter, r *http.Request, c caller) error {
	if r.PathValue("consumer") != c.Name {
		return forbidden("the feed of another consumer")
	}
	var in hubapi.FeedAcknowledgement
	if err := readJSON(r, map[string]any{"cursor": &in.Cursor}); err != nil {
		return err
	}
	place, err := strconv.ParseUint(in.Cursor, 10, 64)
	if err != nil {
		return malformed("the cursor is none of this feed")
	}
	if err := h.acknowledge(r.Context(), c.Name, place); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Hub) cursor(ctx context.Context, consumer string) (cursor, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	entry, err := h.cursors.Get(ctx, consumer)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return cursor{}, nil
	}
	if err != nil {
		return cursor{}, storeError{err}
	}
	place, err := strconv.ParseUint(string(entry.Value()), 10, 64)
	if err != nil {
		return cursor{}, fmt.Errorf("cannot read the cursor of consumer %s: %w", consumer, err)
	}
	return cursor{place, entry.Revision()}, nil
}

// acknowledge moves a consumer's cursor forward. Acknowledgements that arrive
// late, twice, or at several hubs at once never move it back.
func (h *Hub) acknowledge(ctx context.Context, consumer string, place uint64) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	info, err := h.events.Info(ctx)
	if err != nil {
		return storeError{err}
	}
	if place > info.State.LastSeq {
		return malformed("the cursor is none of this feed")
	}
	for {
		at, err := h.cursor(ctx, consumer)
		if err != nil || place <= at.place {
			return err
		}
		// Revision 0 says: only if there is none.
		_, err = h.cursors.Update(ctx, consumer, strconv.AppendUint(nil, place, 10), at.revision)
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			continue
		}
		if err != nil {
			return storeError{err}
		}
		return nil
	}
}
