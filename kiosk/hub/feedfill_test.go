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

// silent is a reader of a stream that keeps messages back, as nats.go ends a
// fetch: without an error. What a fetch asked for counts as delivered.
type silent struct {
	messages []string
	gives    []int // by each fetch
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

// TestFeedPassesOverNothing: a stream that stalls makes a feed shorter, or is an
// error where it gives nothing; never is there a gap in it.
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
