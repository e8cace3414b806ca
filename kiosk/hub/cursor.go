package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/event"
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

// next returns the place of the first message that the reader has not read as a whole.
func (p position) next() uint64 {
	if p.part > 0 {
		return p.place
	}
	return p.place + 1
}

// beyond reports whether p is further than q.
func (p position) beyond(q position) bool {
	if p.place != q.place {
		return p.place > q.place
	}
	return p.part-1 > q.part-1 // 0, which is all, becomes the greatest
}

// cursor is how far a reader has read the stream of events. It also identifies the stream,
// because a place means nothing in another one.
type cursor struct {
	position
	// made identifies the message at the place by the time at which it was stored; "" if the
	// stream has no message there any more, and in cursors of old hubs.
	made string
	// stream identifies the stream; "" in cursors of old hubs. See streamID.
	stream   string
	revision uint64 // of the bucket's entry; 0 if there is no entry
}

// text returns a cursor as consumers and the bucket have it: "7.3@kf12ab@ke98xy", or "0" for
// the beginning, which every stream has.
func (c cursor) text() string {
	switch {
	case c.place == 0:
		return "0"
	case c.stream != "":
		return c.String() + "@" + c.made + "@" + c.stream
	case c.made != "":
		return c.String() + "@" + c.made
	}
	return c.String()
}

// parseCursor is the opposite of cursor.text. It also reads cursors of old hubs: "7.3" and
// "7.3@kf12ab".
func parseCursor(text string) (c cursor, err error) {
	parts := strings.Split(text, "@")
	if len(parts) > 3 {
		return cursor{}, errors.New("it has too many parts")
	}
	if c.position, err = parsePosition(parts[0]); err != nil {
		return cursor{}, err
	}
	if len(parts) > 1 {
		c.made = parts[1]
	}
	if len(parts) > 2 {
		c.stream = parts[2]
	}
	return c, nil
}

// instant writes a time as part of a cursor.
func instant(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 36) }

// streamID identifies a stream by its metadata, or by the time at which an old hub created it.
// A stream that was restored from a backup has the same ID as before, and other messages behind
// the backup.
func streamID(info *jetstream.StreamInfo) string {
	return cmp.Or(info.Config.Metadata[streamIDKey], instant(info.Created))
}

// at returns the cursor of a position in a stream.
func at(ctx context.Context, events eventLog, info *jetstream.StreamInfo, p position) (cursor, error) {
	made, err := placeTime(ctx, events, p.place)
	return cursor{position: p, made: made, stream: streamID(info)}, err
}

// placeTime returns when the message at a place was stored, as part of a cursor. It is "" if
// the stream has no message there.
func placeTime(ctx context.Context, events eventLog, place uint64) (string, error) {
	if place == 0 {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	msg, err := events.GetMsg(ctx, place)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		m, ok, err := events.archive.from(ctx, place)
		if err != nil || !ok || m.place != place {
			return "", err
		}
		return instant(m.stored), nil
	}
	if err != nil {
		return "", storeError{err}
	}
	return instant(msg.Time), nil
}

// streamInfo describes the stream of events as it is now.
func streamInfo(ctx context.Context, events jetstream.Stream) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	info, err := events.Info(ctx)
	if err != nil {
		return nil, storeError{err}
	}
	return info, nil
}

// rolledBack is the error of a cursor that does not belong to the stream as it is now. To read
// on from there would skip events.
type rolledBack struct{ why string }

func (e rolledBack) Error() string { return e.why }

// belongs returns a rolledBack if a cursor does not belong to the stream.
func (c cursor) belongs(ctx context.Context, events eventLog, info *jetstream.StreamInfo) error {
	switch {
	case c.place == 0:
		return nil
	case c.stream != "" && c.stream != streamID(info):
		return rolledBack{fmt.Sprintf("the cursor is of another stream: this one was created %s", info.Created.UTC().Format(time.RFC3339))}
	case c.place > info.State.LastSeq:
		return rolledBack{fmt.Sprintf("the cursor is at %d, but the stream ends at %d: it was restored or damaged", c.place, info.State.LastSeq)}
	}
	made, err := placeTime(ctx, events, c.place)
	if err != nil {
		return err
	}
	if made != "" && c.made != "" && made != c.made {
		return rolledBack{fmt.Sprintf("the stream has another event at %d, the place of the cursor: it was restored or damaged, and has grown since", c.place)}
	}
	return nil
}

// checkCursor refuses to read on from a cursor that does not belong to the stream, logs that,
// and raises an alarm. The reader stays where it is until the operator decides.
func (h *Hub) checkCursor(ctx context.Context, reader string, c cursor, info *jetstream.StreamInfo) error {
	err := c.belongs(ctx, h.events, info)
	if err == nil && reader != reviewsReader {
		err = h.beforeDeleted(ctx, c, info)
	}
	if gone, ok := errors.AsType[rolledBack](err); ok {
		return h.refuseCursor(reader, c, info, gone)
	}
	return err
}

// beforeDeleted returns a rolledBack if retention has deleted events behind a cursor.
func (h *Hub) beforeDeleted(ctx context.Context, c cursor, info *jetstream.StreamInfo) error {
	if c.place == 0 {
		return nil
	}
	deleted, err := deletedThrough(ctx, h.cursors, info, c.place)
	if err == nil && c.place < deleted {
		err = rolledBack{fmt.Sprintf("the cursor is at %d, and the events up to %d were deleted since (retention)", c.place, deleted)}
	}
	return err
}

// deletedThrough returns the place up to which retention has deleted events. It may return 0 if
// that is not behind place.
func deletedThrough(ctx context.Context, cursors jetstream.KeyValue, info *jetstream.StreamInfo, place uint64) (uint64, error) {
	if place+1 >= info.State.FirstSeq && info.State.NumDeleted == 0 {
		return 0, nil // what is deleted comes from the archive
	}
	deleted, err := readCursor(ctx, cursors, deletedReader)
	if err != nil || deleted.stream != streamID(info) {
		return 0, err
	}
	return deleted.place, nil
}

// rolledBackDelay is how long a cursor must not belong to the stream of a cluster until there is
// an alarm.
const rolledBackDelay = 30 * time.Second

// lostPlace is a reader's cursor that does not belong to the stream.
type lostPlace struct {
	first time.Time // when that was first found
	alarm sync.Once
}

func (h *Hub) refuseCursor(reader string, c cursor, info *jetstream.StreamInfo, gone rolledBack) error {
	const command = "kioskhub feed reset"
	h.log.Error("a reader's cursor does not belong to the stream of events: decide with "+command, "caller", reader, "place", c.place, "high_water", info.State.LastSeq, "reason", gone.why)
	detail := fmt.Sprintf("%s; nothing is skipped: the hub's operator decides where it reads on, with %s %s --to start, or end, a time or a cursor", gone.why, command, reader)
	id := "rolled-back " + reader + " " + c.text()
	found, _ := h.rolledBack.LoadOrStore(id, &lostPlace{first: h.now()})
	place := found.(*lostPlace)
	// A node of a cluster that is cut off may answer with an old state for a while.
	if h.replicas() == 1 || h.now().Sub(place.first) >= rolledBackDelay {
		place.alarm.Do(func() {
			h.alarmAboutItself(id, event.Alarm{Kind: event.AlarmRolledBack, Reader: reader, Detail: detail})
		})
	}
	return apihttp.Problem(http.StatusConflict, hubapi.KindRolledBack, "the cursor does not fit the stream of events", detail)
}

func (h *Hub) ackFeed(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := apihttp.CheckConsumer(r, c.Identity); err != nil {
		return err
	}
	text, err := apihttp.ReadCursor(r)
	if err != nil {
		return err
	}
	to, err := parseCursor(text)
	if err != nil {
		return apihttp.BadCursor()
	}
	if err := h.acknowledge(r.Context(), c.Name, to); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Hub) cursor(ctx context.Context, reader string) (cursor, error) {
	return readCursor(ctx, h.cursors, reader)
}

// readCursor reads a reader's cursor from the bucket. A reader without one is at the beginning.
func readCursor(ctx context.Context, cursors jetstream.KeyValue, reader string) (cursor, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	entry, err := cursors.Get(ctx, reader)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return cursor{}, nil
	}
	if err != nil {
		return cursor{}, storeError{err}
	}
	c, err := parseCursor(string(entry.Value()))
	if err != nil {
		return cursor{}, fmt.Errorf("cannot read the cursor of %s: %w", reader, err)
	}
	c.revision = entry.Revision()
	return c, nil
}

// acknowledge moves a reader's cursor forward. Acknowledgements that arrive late, twice, or at
// several hubs at once never move it back. It refuses a cursor that does not belong to the
// stream, and also moves none that does not.
func (h *Hub) acknowledge(ctx context.Context, reader string, to cursor) error {
	for {
		now, err := h.cursor(ctx, reader)
		if err != nil {
			return err
		}
		// After the cursor: otherwise the cursor could be later than the end of the stream.
		info, err := streamInfo(ctx, h.events)
		if err != nil {
			return err
		}
		if to.place > info.State.LastSeq && to.made == "" {
			return apihttp.BadCursor() // no answer had it
		}
		for _, c := range []cursor{to, now} {
			if err := h.checkCursor(ctx, reader, c, info); err != nil {
				return err
			}
		}
		if !to.beyond(now.position) {
			return nil
		}
		if to.stream == "" { // a cursor of an old hub
			if to, err = at(ctx, h.events, info, to.position); err != nil {
				return err
			}
		}
		err = h.moveCursor(ctx, reader, to, now.revision)
		if !errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			return err
		}
	}
}

// moveCursor stores a cursor if the bucket's entry still has this revision. Revision 0 means:
// only if there is no entry.
func (h *Hub) moveCursor(ctx context.Context, reader string, to cursor, revision uint64) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_, err := h.cursors.Update(ctx, reader, []byte(to.text()), revision)
	if err != nil && !errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return storeError{err}
	}
	return err
}
