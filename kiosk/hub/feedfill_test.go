package hub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/apihttp"
)

// silent is a reader of a stream that delivers fewer messages than requested, without an
// error, as nats.go does. A message counts as delivered once a fetch has requested it.
type silent struct {
	messages []string
	gives    []int // number of messages that each fetch returns
	asked    []int
	place    uint64 // of the last message
}

func (s *silent) Fetch(n int, _ ...jetstream.FetchOpt) (jetstream.MessageBatch, error) {
	s.asked = append(s.asked, n)
	fetched := make(chan jetstream.Msg, n)
	for i, text := range s.messages[:n] {
		s.place++
		if i < s.gives[0] {
			fetched <- again{data: []byte(text), place: s.place}
		}
	}
	close(fetched)
	s.messages, s.gives = s.messages[n:], s.gives[1:]
	return messages(fetched), nil
}

type messages <-chan jetstream.Msg

func (m messages) Messages() <-chan jetstream.Msg { return m }
func (m messages) Error() error                   { return nil }

// TestFeedPassesOverNothing checks that a stream that stalls makes the answer shorter, or
// an error if there is no event at all, and that the answer never has a gap.
func TestFeedPassesOverNothing(t *testing.T) {
	const all = 3 * firstFetch
	for _, c := range []struct {
		name  string
		gives []int
		want  int // events
		err   error
	}{
		{"all", []int{all, all}, all, nil},
		{"nothing", []int{0, all}, 0, errSilent},
		{"some", []int{1, all}, 1, nil},
		{"nothing after some", []int{all, 0, all}, firstFetch, nil},
	} {
		s := &silent{gives: c.gives}
		for i := range all {
			s.messages = append(s.messages, fmt.Sprintf(`{"id":"%d"}`, i+1))
		}
		b, want := batch{Batch: apihttp.Batch{Max: all}}, s.messages[:c.want]
		err := b.fill(t.Context(), s, all, time.Second)
		if got := string(b.Array()); got != "["+strings.Join(want, ",")+"]" || !errors.Is(err, c.err) {
			t.Errorf("%s: %s, %v, want %q, %v; asked for %v", c.name, got, err, want, c.err, s.asked)
		}
	}
}

// TestFeedOfLaggingReplica checks that a reader whose replica lacks messages makes the
// answer shorter or an error, and that messages that were deleted are no gap.
func TestFeedOfLaggingReplica(t *testing.T) {
	for _, c := range []struct {
		name   string
		after  position
		places []uint64 // that the reader delivers
		stored []uint64 // that the stream has
		want   int
		err    error
	}{
		{"complete", position{place: 4}, []uint64{5, 6, 7}, []uint64{5, 6, 7}, 3, nil},
		{"deleted", position{}, []uint64{5, 7}, []uint64{5, 7}, 2, nil},
		{"missing at the beginning", position{place: 4}, []uint64{6, 7}, []uint64{5, 6, 7}, 0, errLagging},
		{"missing between", position{place: 4}, []uint64{5, 7}, []uint64{5, 6, 7}, 1, nil},
		{"begins too early", position{place: 4}, []uint64{3, 4, 5}, []uint64{3, 4, 5}, 0, errLagging},
		{"within a message", position{place: 5, part: 1}, []uint64{5, 6}, []uint64{5, 6}, 2, nil},
	} {
		b := batch{Batch: apihttp.Batch{Max: 10}, last: c.after, next: func(_ context.Context, after uint64) (uint64, error) {
			for _, place := range c.stored {
				if place > after {
					return place, nil
				}
			}
			return 0, jetstream.ErrMsgNotFound
		}}
		fetched := make(chan jetstream.Msg, len(c.places))
		for _, place := range c.places {
			fetched <- again{data: []byte(`[{"id":"a"}` + separator + `{"id":"b"}]`), place: place}
		}
		close(fetched)
		_, _, err := b.take(t.Context(), fixed(fetched), len(c.places), time.Second)
		read := 2 * c.want
		if c.after.part > 0 {
			read--
		}
		if b.Len() != read || !errors.Is(err, c.err) {
			t.Errorf("%s: %d events, %v, want %d, %v", c.name, b.Len(), err, read, c.err)
		}
	}
}

// fixed is a reader that answers a fetch with these messages.
type fixed <-chan jetstream.Msg

func (f fixed) Fetch(int, ...jetstream.FetchOpt) (jetstream.MessageBatch, error) {
	return messages(f), nil
}
