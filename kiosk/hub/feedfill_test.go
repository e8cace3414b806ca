package hub

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
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
	for _, c := range []struct {
		name  string
		gives []int
		want  string
		err   error
	}{
		{"all", []int{firstFetch, 100}, "1 2 3 4 5 6 7 8", nil},
		{"nothing", []int{0, 100}, "", errSilent},
		{"some", []int{1, 100}, "1", nil},
		{"nothing more", []int{firstFetch, 0, 100}, strings.Join(strings.Fields("1 2 3 4 5 6 7 8")[:firstFetch], " "), nil},
	} {
		s := &silent{gives: c.gives}
		for i := range 8 {
			s.messages = append(s.messages, fmt.Sprintf(`{"id":"%d"}`, i+1))
		}
		b := batch{max: 100}
		err := b.fill(t.Context(), s, 8, time.Second)
		var got []string
		for _, e := range strings.Split(string(b.text), ",") {
			if e != "" {
				got = append(got, strings.Trim(e, `{}id:"`))
			}
		}
		if strings.Join(got, " ") != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v, want %q, %v; asked for %v", c.name, got, err, c.want, c.err, s.asked)
		}
	}
}
