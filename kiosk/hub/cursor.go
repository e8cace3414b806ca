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
	"smartkiosk/kiosk/protocol/hubapi"
)

// position is how far a reader has read the stream: through the message at place, or
// through the first events of that message only, if an answer had no room for more. The
// zero value is before the first message.
type position struct {
	place uint64
	part  uint64 // number of events of that message; 0 means all
}

// String returns "7", or "7.3" within the message at 7.
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
		return position{}, errors.New("a message has no such event")
	}
	return p, nil
}

// beyond reports whether p is further than q.
func (p position) beyond(q position) bool {
	if p.place != q.place {
		return p.place > q.place
	}
	return p.part-1 > q.part-1 // 0, which is all, becomes the greatest
}

// cursor is how far a consumer has acknowledged the stream.
type cursor struct {
	position
	made     string // see placeTime; "" if it is not known
	revision uint64 // of the bucket's entry; 0 if there is no entry
}

// cursorText returns a cursor as consumers and the bucket have it: "7.3@kf12ab". The part
// after the @ is placeTime.
func cursorText(p position, made string) string {
	if made == "" {
		return p.String()
	}
	return p.String() + "@" + made
}

func parseCursor(text string) (p position, made string, err error) {
	place, made, _ := strings.Cut(text, "@")
	p, err = parsePosition(place)
	return p, made, err
}

// placeTime identifies the message at a place by the time at which it was stored. A stream
// that was rolled back, or made again, has another message there. It is "" if the stream
// has no message there.
func (h *Hub) placeTime(ctx context.Context, place uint64) (string, error) {
	if place == 0 {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	msg, err := h.events.GetMsg(ctx, place)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return "", nil
	}
	if err != nil {
		return "", storeError{err}
	}
	return strconv.FormatInt(msg.Time.UnixNano(), 36), nil
}

// checkCursor refuses to read on from a cursor that does not belong to the current stream:
// its place is beyond the end, or another message is there. Reading on would skip events.
// This happens after the stream was restored from a backup or damaged by a power cut. The
// cursor stays; a consumer with a new name has no cursor and starts at the beginning.
func (h *Hub) checkCursor(ctx context.Context, consumer string, at cursor) error {
	if at.place == 0 {
		return nil
	}
	infoCtx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	info, err := h.events.Info(infoCtx)
	if err != nil {
		return storeError{err}
	}
	made, err := h.placeTime(ctx, at.place)
	if err != nil {
		return err
	}
	if at.place <= info.State.LastSeq && (made == "" || at.made == "" || made == at.made) {
		return nil
	}
	h.log.Error("the stream was rolled back behind a consumer's cursor: add a consumer under a new name", "caller", consumer, "place", at.place, "high_water", info.State.LastSeq)
	return apihttp.Problem(http.StatusConflict, hubapi.KindRolledBack, "the stream of events was rolled back",
		fmt.Sprintf("the cursor is at %d, but the stream ends at %d or was replaced: the hub's operator must add a consumer under a new name (kioskhub consumer add), which starts at the beginning of the stream", at.place, info.State.LastSeq))
}

func (h *Hub) ackFeed(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := apihttp.CheckConsumer(r, c.Identity); err != nil {
		return err
	}
	text, err := apihttp.ReadCursor(r)
	if err != nil {
		return err
	}
	to, made, err := parseCursor(text)
	if err != nil {
		return apihttp.BadCursor()
	}
	if err := h.acknowledge(r.Context(), c.Name, to, made); err != nil {
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
	at, made, err := parseCursor(string(entry.Value()))
	if err != nil {
		return cursor{}, fmt.Errorf("cannot read the cursor of consumer %s: %w", consumer, err)
	}
	return cursor{at, made, entry.Revision()}, nil
}

// acknowledge moves a consumer's cursor forward. Acknowledgements that arrive
// late, twice, or at several hubs at once never move it back.
func (h *Hub) acknowledge(ctx context.Context, consumer string, to position, made string) error {
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
		// Revision 0 means: only if there is no entry.
		_, err = h.cursors.Update(ctx, consumer, []byte(cursorText(to, made)), at.revision)
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			continue
		}
		if err != nil {
			return storeError{err}
		}
		return nil
	}
}
