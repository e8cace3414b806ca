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
	pull, err := apihttp.ReadPull(r)
	if err != nil {
		return err
	}
	after, err := h.cursor(r.Context(), c.Name)
	if err != nil {
		return err
	}
	if err := h.checkCursor(r.Context(), c.Name, after); err != nil {
		return err
	}
	events, err := h.read(r.Context(), after.position, pull)
	if err != nil {
		return err
	}
	made, err := h.placeTime(r.Context(), events.last.place)
	if err != nil {
		return err
	}
	events.Write(w, cursorText(events.last, made))
	return nil
}

// readerLife is how long a reader of the stream outlives a hub that died.
const readerLife = hubapi.MaxWait + time.Minute

// firstFetch is how many messages are asked for before it is known how large
// they are; of the largest it is what an answer may hold.
const firstFetch = hubapi.MaxEventsBody / maxMessage

// read returns the events after a position of the stream.
func (h *Hub) read(ctx context.Context, after position, pull apihttp.Pull) (*batch, error) {
	b := &batch{Batch: apihttp.Batch{Max: pull.Max}, last: after}
	from := after.place + 1
	if after.part > 0 {
		from = after.place
	}
	reader, err := h.reader(ctx, from)
	if err != nil {
		return nil, storeError{err}
	}
	defer h.dismiss(ctx, reader)
	if err := b.fill(ctx, reader, reader.CachedInfo().NumPending, pull.Wait); err != nil {
		return nil, storeError{err}
	}
	return b, nil
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
	apihttp.Batch
	last position // of the last event in it

	messages, bytes int // read so far
}

// wants gives how many messages to ask for: not many more than there is room
// for, by the size of those read so far.
func (b *batch) wants() int {
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

var errSilent = errors.New("the stream does not give what it has")

// fill takes those messages that are pending until the batch is full, or if they
// had no event, the next one, which it awaits at most for wait.
//
// A fetch that ends for silence is no error to nats.go (jetstream/pull.go), and
// what it asked for may still be sent to it: whoever fetched again would be given
// what comes behind. So nothing is fetched after one that brought too few.
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
	if b.Len() > 0 || wait == 0 {
		return nil
	}
	// One is enough to answer with; who wants more asks again.
	waiting, cancel := whileServing(ctx)
	defer cancel()
	_, _, err := b.take(waiting, reader, 1, wait)
	return err
}

// take adds up to n messages, as they come within wait. It tells how many came and
// whether there is room for more; what came and had none comes with the next
// request.
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
			if !b.add(msg.Data(), about.Sequence.Stream) {
				return got, false, nil
			}
		}
	}
}

// add puts the events of a message into the batch, those before the position
// where the batch begins excepted. It tells whether there is room for more.
func (b *batch) add(message []byte, place uint64) (room bool) {
	events := readMessage(message)
	b.messages++
	b.bytes += len(message)
	done := 0
	if b.last.place == place {
		done = int(min(b.last.part, uint64(len(events))))
	}
	for i, e := range events[done:] {
		if !b.Add(e) {
			return false
		}
		b.last = position{place, uint64(done + i + 1)}
	}
	b.last = position{place: place}
	return !b.Full()
}
