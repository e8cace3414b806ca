package hub

import (
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
}

func (s *silent) Fetch(n int, _ ...jetstream.FetchOpt) (jetstream.MessageBatch, error) {
	s.asked = append(s.asked, n)
	fetched := make(chan jetstream.Msg, n)
	for i, text := range s.messages[:n] {
		if i < s.gives[0] {
			fetched <- again{data: []byte(text)}
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
