package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/apihttp"
)

// position is how far the stream was read: through the message at place, or
// through the first events of it only, when a feed's answer had no room for
// more. The zero value is before the first message.
type position struct {
	place uint64
	part  uint64 // events of that message; 0 stands for all
}

// String gives the position as consumers and the bucket have it: "7", or "7.3"
// within the message at 7.
func (p position) String() string {
	s := strconv.FormatUint(p.place, 10)
	if p.part > 0 {
		s += "." + strconv.FormatUint(p.part, 10)
	}
	return s
}

func parsePosition(s string) (position, error) {
	place, part, within := strings.Cut(s, ".")
	var p position
	var err error
	if p.place, err = strconv.ParseUint(place, 10, 64); err != nil {
		return position{}, err
	}
	if !within {
		return p, nil
	}
	if p.part, err = strconv.ParseUint(part, 10, 64); err != nil {
		return position{}, err
	}
	if p.part == 0 || p.place == 0 {
		return position{}, errors.New("there is no such place within a message")
	}
	return p, nil
}

// beyond tells whether p is further than q.
func (p position) beyond(q position) bool {
	if p.place != q.place {
		return p.place > q.place
	}
	return p.part-1 > q.part-1 // 0, which is all, becomes the greatest
}

// cursor is how far a consumer has acknowledged the stream.
type cursor struct {
	position
	revision uint64 // of the bucket's entry; 0 when there is none
}

func (h *Hub) ackFeed(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := apihttp.CheckConsumer(r, c.Identity); err != nil {
		return err
	}
	text, err := apihttp.ReadCursor(r)
	if err != nil {
		return err
	}
	to, err := parsePosition(text)
	if err != nil {
		return apihttp.BadCursor()
	}
	if err := h.acknowledge(r.Context(), c.Name, to); err != nil {
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
	at, err := parsePosition(string(entry.Value()))
	if err != nil {
		return cursor{}, fmt.Errorf("cannot read the cursor of consumer %s: %w", consumer, err)
	}
	return cursor{at, entry.Revision()}, nil
}

// acknowledge moves a consumer's cursor forward. Acknowledgements that arrive
// late, twice, or at several hubs at once never move it back.
func (h *Hub) acknowledge(ctx context.Context, consumer string, to position) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	info, err := h.events.Info(ctx)
	if err != nil {
		return storeError{err}
	}
	if to.place > info.State.LastSeq {
		return apihttp.BadCursor()
	}
	for {
		at, err := h.cursor(ctx, consumer)
		if err != nil || !to.beyond(at.position) {
			return err
		}
		// Revision 0 says: only if there is none.
		_, err = h.cursors.Update(ctx, consumer, []byte(to.String()), at.revision)
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			continue
		}
		if err != nil {
			return storeError{err}
		}
		return nil
	}
}
