package hub

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
)

func (h *Hub) feed(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := apihttp.CheckConsumer(r, c.Identity); err != nil {
		return err
	}
	pull, err := apihttp.ReadSelection(r)
	if err != nil {
		return err
	}
	events, info, err := h.pull(r.Context(), c.Name, pull)
	if err != nil {
		return err
	}
	next, err := at(r.Context(), h.events, info, events.last)
	if err != nil {
		return err
	}
	events.Write(w, next.text())
	return nil
}

// pull returns the events of a consumer's request, and the stream as it was before. The request
// itself may say where they begin: then the consumer's own cursor does not matter.
func (h *Hub) pull(ctx context.Context, consumer string, p hubapi.Pull) (*batch, *jetstream.StreamInfo, error) {
	var after cursor
	var err error
	if p.After != "" {
		if after, err = parseCursor(p.After); err != nil {
			return nil, nil, apihttp.BadCursor()
		}
	} else if p.Since.IsZero() {
		if after, err = h.cursor(ctx, consumer); err != nil {
			return nil, nil, err
		}
	}
	// After the cursor: otherwise the cursor could be later than the end of the stream.
	info, err := streamInfo(ctx, h.events)
	if err == nil {
		err = h.checkCursor(ctx, consumer, after, info)
	}
	if err != nil {
		return nil, nil, err
	}
	if !p.Since.IsZero() {
		if after.place, err = h.events.before(ctx, p.Since); err != nil {
			return nil, nil, storeError{err}
		}
	}
	if after.place == 0 || !p.Since.IsZero() {
		// Single events that are older were not deleted: see RetentionConfig.
		deleted, err := deletedThrough(ctx, h.cursors, info, after.place)
		if err != nil {
			return nil, nil, err
		}
		after.place = max(after.place, deleted)
	}
	events, err := h.read(ctx, reading{after: after.position, first: info.State.FirstSeq}, p)
	return events, info, err
}

// reading says where a reader begins.
type reading struct {
	after position
	first uint64 // place of the first message of the stream; what is before it may be in the archive
}

// readerLife is how long JetStream keeps a reader of a hub that died.
const readerLife = hubapi.MaxWait + time.Minute

// firstFetch is how many messages the first fetch requests, while their size is unknown. An
// answer has room for this many messages of the maximum size.
const firstFetch = hubapi.MaxEventsBody / maxMessage

// read returns the events that a request selects: those of the archive or, if it has none
// there, those of the stream.
func (h *Hub) read(ctx context.Context, from reading, pull hubapi.Pull) (*batch, error) {
	b := &batch{Batch: apihttp.Batch{Max: pull.Max}, last: from.after, filter: newFilter(pull), next: h.events.next}
	stream, subject, start := h.events.Stream, ">", from.after.next()
	if start < from.first {
		first, ok, err := h.events.archive.from(ctx, start)
		if err != nil {
			return nil, err
		}
		if b.archived = ok; ok {
			stream, subject, start = h.events.archive.Stream, h.events.archive.root+">", first.Sequence
		}
	}
	reader, err := newReader(ctx, stream, subject, start)
	if err != nil {
		return nil, storeError{err}
	}
	defer dismiss(ctx, stream, reader)
	if err := b.fill(ctx, reader, reader.CachedInfo().NumPending, pull.Wait); err != nil {
		return nil, storeError{err}
	}
	return b, nil
}

// newReader makes a reader of a stream. It lives in memory and serves only this request.
func newReader(ctx context.Context, stream jetstream.Stream, subject string, start uint64) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: readerLife,
		FilterSubject: subject, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: start,
	})
}

// dismiss removes a reader. If that fails, JetStream removes it after readerLife.
func dismiss(ctx context.Context, stream jetstream.Stream, reader jetstream.Consumer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	_ = stream.DeleteConsumer(ctx, reader.CachedInfo().Name)
}

// batch is a feed's answer that is being built.
type batch struct {
	apihttp.Batch
	last     position // of the last event that was read
	filter   filter
	next     func(ctx context.Context, after uint64) (place uint64, err error)
	archived bool // the reader is one of the archive

	messages, bytes int // read so far
}

// maxScan is how many bytes one request reads in search of events that match its filter.
// Then it answers with those that it has found, perhaps none, and the next request reads on.
const maxScan = 32 << 20

// wants returns how many messages to request: about as many as there is room for, estimated
// from the size of those read so far.
func (b *batch) wants() int {
	if b.filter.set && b.messages > 0 {
		return hubapi.MaxEvents // most may not match
	}
	n := firstFetch
	if b.bytes > 0 {
		n = (hubapi.MaxEventsBody-b.Size())*b.messages/b.bytes + 1
	}
	return min(n, b.Max-b.Len())
}

// fetcher is a reader of the stream.
type fetcher interface {
	Fetch(messages int, options ...jetstream.FetchOpt) (jetstream.MessageBatch, error)
}

var errSilent = errors.New("the stream has events but delivered none")

// fill adds the pending messages until the batch is full. If they contained no event, fill
// waits for the next message, at most for wait.
//
// nats.go reports no error when a fetch ends because the server sent nothing
// (jetstream/pull.go), and the server may still deliver the requested messages later. A
// second fetch would then get the messages behind them, and the feed would have a gap. So
// fill stops after a fetch that returned fewer messages than it requested.
func (b *batch) fill(ctx context.Context, reader fetcher, pending uint64, wait time.Duration) error {
	for pending > 0 {
		n := int(min(uint64(b.wants()), pending))
		got, room, err := b.take(ctx, reader, n, storeTimeout)
		if err == nil && b.messages == 0 && ctx.Err() == nil {
			err = errSilent
		}
		if err != nil || !room || got < n {
			return err
		}
		pending -= uint64(n)
	}
	// One event is enough for an answer; the consumer requests more with its next pull.
	waiting, cancel := whileServing(ctx)
	defer cancel()
	for until := time.Now().Add(wait); b.Len() == 0 && waiting.Err() == nil; {
		left := time.Until(until)
		if left <= 0 {
			return nil
		}
		if _, room, err := b.take(waiting, reader, 1, left); err != nil || !room {
			return err
		}
	}
	return nil
}

// take adds up to n messages that arrive within wait. It returns how many arrived, and
// whether there is room for more. The next request gets the events for which there was no
// room.
func (b *batch) take(ctx context.Context, reader fetcher, n int, wait time.Duration) (got int, room bool, err error) {
	fetched, err := reader.Fetch(n, jetstream.FetchMaxWait(wait))
	if err != nil {
		return 0, false, err
	}
	for {
		select {
		case <-ctx.Done():
			return got, false, nil
		case msg, ok := <-fetched.Messages():
			if !ok {
				return got, true, fetched.Error()
			}
			got++
			about, err := msg.Metadata()
			if err != nil {
				return got, false, err
			}
			place := about.Sequence.Stream
			if b.archived {
				if place, err = strconv.ParseUint(msg.Headers().Get(placeHeader), 10, 64); err != nil {
					return got, false, unreadable(about.Sequence.Stream, err)
				}
			}
			if err := b.follows(ctx, place); err != nil {
				if b.messages > 0 {
					err = nil // the next request meets it again
				}
				return got, false, err
			}
			if !b.add(msg.Data(), place) {
				return got, false, nil
			}
		}
	}
}

var errLagging = errors.New("a replica of the stream does not have all of its messages yet")

// follows returns an error if the message at a place is not the next one of the stream. A
// reader may be served by a replica that lags. It may then pass over messages, or begin
// before the place where it should.
func (b *batch) follows(ctx context.Context, place uint64) error {
	next := b.last.next()
	if place > next {
		var err error
		// The messages between the two may have been deleted, or have just been archived.
		if next, err = b.next(ctx, next-1); err != nil {
			return err
		}
	}
	if place != next {
		return errLagging
	}
	return nil
}

// add puts the events of a message into the batch, except those before the position where
// the batch begins. It reports whether there is room for more.
func (b *batch) add(message []byte, place uint64) (room bool) {
	events := readMessage(message)
	b.messages++
	b.bytes += len(message)
	done := 0
	if b.last.place == place {
		done = int(min(b.last.part, uint64(len(events))))
	}
	for i, e := range events[done:] {
		if b.filter.matches(e) && !b.Add(e) {
			return false
		}
		b.last = position{place, uint64(done + i + 1)}
	}
	b.last = position{place: place}
	return !b.Full() && (!b.filter.set || b.bytes < maxScan)
}
