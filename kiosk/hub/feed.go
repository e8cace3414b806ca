package hub

import (
	"context"
	"errors"
	"net/http"
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
	events, err := h.read(ctx, reading{after: after.position, since: p.Since}, p)
	return events, info, err
}

// reading says where a reader of the stream begins: after a position, or with the first
// message that the hub stored at a time or later.
type reading struct {
	after position
	since time.Time
}

// readerLife is how long JetStream keeps a reader of a hub that died.
const readerLife = hubapi.MaxWait + time.Minute

// firstFetch is how many messages the first fetch requests, while their size is unknown. An
// answer has room for this many messages of the maximum size.
const firstFetch = hubapi.MaxEventsBody / maxMessage

// read returns the events that a request selects.
func (h *Hub) read(ctx context.Context, from reading, pull hubapi.Pull) (*batch, error) {
	b := &batch{Batch: apihttp.Batch{Max: pull.Max}, last: from.after, filter: newFilter(pull), next: h.nextPlace}
	reader, err := h.reader(ctx, from)
	if err != nil {
		return nil, storeError{err}
	}
	defer h.dismiss(ctx, reader)
	if !from.since.IsZero() {
		// JetStream sets this to the place before the first message of the reader.
		b.last = position{place: reader.CachedInfo().Delivered.Stream}
	}
	if err := b.fill(ctx, reader, reader.CachedInfo().NumPending, pull.Wait); err != nil {
		return nil, storeError{err}
	}
	return b, nil
}

// reader makes a reader of the stream. It lives in memory and serves only this request.
func (h *Hub) reader(ctx context.Context, from reading) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	config := jetstream.ConsumerConfig{
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		InactiveThreshold: readerLife,
	}
	switch {
	case !from.since.IsZero():
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &from.since
	case from.after.part > 0:
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, from.after.place
	default:
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, from.after.place+1
	}
	return h.events.CreateConsumer(ctx, config)
}

// dismiss removes a reader. If that fails, JetStream removes it after readerLife.
func (h *Hub) dismiss(ctx context.Context, reader jetstream.Consumer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	h.events.DeleteConsumer(ctx, reader.CachedInfo().Name)
}

// batch is a feed's answer that is being built.
type batch struct {
	apihttp.Batch
	last   position // of the last event that was read
	filter filter
	next   func(ctx context.Context, after uint64) (place uint64, err error)

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
	next := b.last.place + 1
	if b.last.part > 0 {
		next = b.last.place
	}
	if place > next {
		var err error
		// The messages between the two may have been deleted.
		if next, err = b.next(ctx, next-1); err != nil {
			return err
		}
	}
	if place != next {
		return errLagging
	}
	return nil
}

// nextPlace returns the place of the first message after a place, as the leader of the
// stream has it.
func (h *Hub) nextPlace(ctx context.Context, after uint64) (place uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	msg, err := h.events.GetMsg(ctx, after+1, jetstream.WithGetMsgSubject(">"))
	if err != nil {
		return 0, err
	}
	return msg.Sequence, nil
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
