package hub

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/hubapi"
)

func (h *Hub) feed(w http.ResponseWriter, r *http.Request, c caller) error {
	if r.PathValue("consumer") != c.Name {
		return forbidden("the feed of another consumer")
	}
	query := r.URL.Query()
	max, err := number(query, "max", 1, hubapi.MaxEvents, hubapi.DefaultFeedBatch)
	if err != nil {
		return err
	}
	wait, err := number(query, "wait", 0, int(hubapi.MaxWait/time.Second), 0)
	if err != nil {
		return err
	}
	after, err := h.cursor(r.Context(), c.Name)
	if err != nil {
		return err
	}
	events, last, err := h.read(r.Context(), after.place, max, time.Duration(wait)*time.Second)
	if err != nil {
		return err
	}
	w.Header().Set(hubapi.CursorHeader, strconv.FormatUint(last, 10))
	return write(w, http.StatusOK, hubapi.MediaEvents, events)
}

// number reads a query parameter within bounds.
func number(query url.Values, name string, min, max, otherwise int) (int, error) {
	if !query.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(query.Get(name), 10, 16)
	if err != nil || int(n) < min || int(n) > max {
		return 0, malformed(name + " must be a number from " + strconv.Itoa(min) + " to " + strconv.Itoa(max))
	}
	return int(n), nil
}

// readerLife is how long a reader of the stream outlives a hub that died.
const readerLife = hubapi.MaxWait + time.Minute

// read gives the events after a place of the stream as a JSON array, and the
// place of the last one: at most max, at most hubapi.MaxEventsBody bytes, and
// after at most wait if there was none.
func (h *Hub) read(ctx context.Context, after uint64, max int, wait time.Duration) (events []byte, last uint64, err error) {
	b := batch{text: []byte("["), last: after}
	reader, err := h.reader(ctx, after+1)
	if err != nil {
		return nil, 0, storeError{err}
	}
	defer h.dismiss(ctx, reader)
	err = b.take(ctx, max, func() (jetstream.MessageBatch, error) { return reader.FetchNoWait(max) })
	if err == nil && b.count == 0 && wait > 0 {
		// One is enough to answer with; who wants more asks again.
		waiting, cancel := whileServing(ctx)
		defer cancel()
		err = b.take(waiting, 1, func() (jetstream.MessageBatch, error) {
			return reader.Fetch(1, jetstream.FetchMaxWait(wait))
		})
	}
	if err != nil {
		return nil, 0, storeError{err}
	}
	return append(b.text, ']'), b.last, nil
}

// reader makes a reader of the stream that starts at a place. It lives in
// memory and is this request's alone.
func (h *Hub) reader(ctx context.Context, from uint64) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return h.events.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       from,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		InactiveThreshold: readerLife,
	})
}

// dismiss removes a reader. Should that fail, it goes by itself after
// readerLife.
func (h *Hub) dismiss(ctx context.Context, reader jetstream.Consumer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	h.events.DeleteConsumer(ctx, reader.CachedInfo().Name)
}

// batch is a feed's answer in the making.
type batch struct {
	text  []byte // the JSON array without its end
	count int
	last  uint64 // place of the last event in it
}

// take adds what a fetch brings, until it ends, ctx ends, or the batch is
// full; what is left then comes with the next request.
func (b *batch) take(ctx context.Context, max int, fetch func() (jetstream.MessageBatch, error)) error {
	fetched, err := fetch()
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case msg, more := <-fetched.Messages():
			if !more {
				return fetched.Error()
			}
			place, err := msg.Metadata()
			if err != nil {
				return err
			}
			if !b.add(msg.Data(), place.Sequence.Stream) {
				return nil
			}
		}
		if b.count == max {
			return nil
		}
	}
}

// add puts an event into the batch, unless it would grow too large.
func (b *batch) add(event []byte, place uint64) bool {
	if b.count > 0 && len(b.text)+len(event)+len(",]") > hubapi.MaxEventsBody {
		return false
	}
	if b.count > 0 {
		b.text = append(b.text, ',')
	}
	b.text = append(b.text, bytes.TrimSpace(event)...)
	b.count++
	b.last = place
	return true
}
