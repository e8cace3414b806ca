package push

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/store"
)

var _ Queue = (*store.Store)(nil)

// turn is held while a test changes the fakes, so that the pusher, which runs when
// time passes, sees the changes. synctest.Wait orders only the other direction.
var turn sync.Mutex

// memory is an outbox in memory.
type memory struct {
	records     []store.Record
	acked       uint64
	changed     chan struct{}
	broken      error
	deadLetters []string
}

func newMemory(n int, size int) *memory {
	m := &memory{changed: make(chan struct{})}
	for range n {
		m.add(size)
	}
	return m
}

func (m *memory) add(size int) {
	turn.Lock()
	defer turn.Unlock()
	n := len(m.records) + 1
	event := fmt.Appendf(nil, `{"sequence":%d,"pad":"%s"}`, n, strings.Repeat("x", size))
	m.records = append(m.records, store.Record{Sequence: uint64(n), Link: link(uint64(n)), Data: event})
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memory) Pending(after uint64, limit int) ([]store.Record, error) {
	return m.Records(max(after, m.acked), limit)
}

func (m *memory) Records(after uint64, limit int) ([]store.Record, error) {
	turn.Lock()
	defer turn.Unlock()
	if m.broken != nil {
		return nil, m.broken
	}
	r := m.records[after:]
	return r[:min(limit, len(r))], nil
}

func (m *memory) Ack(through uint64) error {
	turn.Lock()
	defer turn.Unlock()
	if through > uint64(len(m.records)) {
		return errors.New("acknowledged what is not there")
	}
	m.acked = through
	return nil
}

func (m *memory) Unack(after uint64) error {
	turn.Lock()
	defer turn.Unlock()
	m.acked = min(m.acked, after)
	return nil
}

func (m *memory) Position() store.Position {
	turn.Lock()
	defer turn.Unlock()
	return store.Position{First: 1, Acked: m.acked, Last: uint64(len(m.records))}
}

func (m *memory) Epoch() store.Epoch { return store.Epoch{First: 1} }

func (m *memory) Sequence() uint64 {
	turn.Lock()
	defer turn.Unlock()
	return uint64(len(m.records))
}

func (m *memory) Changed() <-chan struct{} {
	turn.Lock()
	defer turn.Unlock()
	return m.changed
}

// link is the link of an event.
func link(sequence uint64) []byte { return fmt.Append(nil, sequence) }

// hub accepts events like the real hub, and fails if the test says so.
type hub struct {
	t      *testing.T
	last   uint64
	fail   func() error // returns the error of the next call; nil to accept it
	after  func() error // like fail, but after the events are stored
	poison uint64       // the event that is always refused

	poisonAll bool   // refuse all later events too
	through   uint64 // refuse the later events up to this one too
	batches   [][]json.RawMessage
	times     []time.Duration // of the calls, since start
	start     time.Time
}

type fakeEvent struct {
	Sequence uint64
	StandIn  bool
}

// head parses an event without its padding, which would take encoding/json most
// of a test's time.
func head(text []byte) (e fakeEvent, err error) {
	if begin, _, padded := bytes.Cut(text, []byte(`,"pad":`)); padded {
		text = append(bytes.Clone(begin), '}')
	}
	err = json.Unmarshal(text, &e)
	return e, err
}

func newHub(t *testing.T) *hub { return &hub{t: t, start: time.Now()} }

func (h *hub) send(_ context.Context, batch []json.RawMessage) (uint64, error) {
	turn.Lock()
	defer turn.Unlock()
	h.times = append(h.times, time.Since(h.start))
	h.batches = append(h.batches, batch)
	if h.fail != nil {
		if err := h.fail(); err != nil {
			return 0, err
		}
	}
	for i, b := range batch {
		e, err := head(b)
		if err != nil {
			h.t.Error(err)
		}
		if h.poison != 0 && !e.StandIn && (e.Sequence == h.poison || e.Sequence > h.poison && (h.poisonAll || e.Sequence <= h.through)) {
			return 0, fmt.Errorf("cannot send: %w", &hubapi.Problem{Type: hubapi.KindEvent, Status: 422, Title: "bad seal", Event: &i})
		}
		if e.Sequence > h.last+1 {
			return 0, h.gap(i)
		}
		h.last = max(h.last, e.Sequence)
	}
	if h.after != nil {
		if err := h.after(); err != nil {
			return 0, err
		}
	}
	return h.last, nil
}

// gap is the answer to a batch in which the event at index i is not the next one.
func (h *hub) gap(i int) *hubapi.Problem {
	p := &hubapi.Problem{Type: hubapi.KindGap, Status: 409, Event: &i}
	if h.last > 0 {
		p.Has = []hubapi.Branch{{First: 1, Last: h.last, Link: link(h.last)}}
	}
	return p
}

// whole returns a Send that calls send when the whole batch has arrived.
func whole(send func(context.Context, []json.RawMessage) (uint64, error)) Send {
	return func(ctx context.Context, batch []json.RawMessage, turn <-chan struct{}) (hubapi.Acknowledgement, error) {
		select {
		case <-turn:
			acknowledged, err := send(ctx, batch)
			return hubapi.Acknowledgement{Acknowledged: acknowledged}, err
		case <-ctx.Done():
			return hubapi.Acknowledgement{}, ctx.Err()
		}
	}
}

// run runs a Pusher in the background of a synctest bubble until the test ends.
func run(t *testing.T, q Queue, send func(context.Context, []json.RawMessage) (uint64, error), change ...func(*Pusher)) (log *bytes.Buffer) {
	t.Helper()
	return runSend(t, q, whole(send), change...)
}

func runSend(t *testing.T, q Queue, send Send, change ...func(*Pusher)) (log *bytes.Buffer) {
	t.Helper()
	log = &bytes.Buffer{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	p := &Pusher{Queue: q, Send: send, Log: slog.New(slog.NewTextHandler(log, nil))}
	for _, c := range change {
		c(p)
	}
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
	synctest.Wait()
	return log
}

// pass advances the bubble's clock.
func pass(d time.Duration) {
	turn.Lock()
	passed := time.After(d)
	turn.Unlock()
	<-passed
	synctest.Wait()
}

func TestBacklogIsPushedInOrderAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, h := newMemory(2000, 6000), newHub(t)
		run(t, q, h.send)
		if q.acked != 2000 || h.last != 2000 {
			t.Errorf("acknowledged %d, hub has %d of 2000", q.acked, h.last)
		}
		if took := h.times[len(h.times)-1]; took != 0 {
			t.Errorf("with nothing in the way it took %v", took)
		}
		for i, b := range h.batches {
			size := 0
			for _, e := range b {
				size += len(e)
			}
			if len(b) > MaxEvents || size > maxBatch || i == 0 && size > firstBatch {
				t.Errorf("batch %d is of %d events, %d bytes", i, len(b), size)
			}
		}
		if n := len(h.batches); n > 15 {
			t.Errorf("2000 events took %d batches", n)
		}
	})
}

func TestNewEventIsPushedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, h := newMemory(0, 0), newHub(t)
		run(t, q, h.send)
		pass(time.Hour)
		if len(h.batches) != 0 {
			t.Errorf("%d batches of nothing", len(h.batches))
		}
		q.add(10)
		synctest.Wait()
		if h.last != 1 || h.times[0] != time.Hour {
			t.Errorf("hub has %d events, the last at %v", h.last, h.times)
		}
	})
}

func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, h := newMemory(1, 10), newHub(t)
		h.fail = func() error { return errors.New("connection refused") }
		log := run(t, q, h.send)
		pass(5 * time.Minute)
		nominal := firstWait
		for i := 1; i < len(h.times); i++ {
			wait := h.times[i] - h.times[i-1]
			if wait < nominal/2 || wait > nominal*3/2+1 {
				t.Errorf("wait %d was %v, want %v give or take half", i, wait, nominal)
			}
			nominal = min(2*nominal, maxWait)
		}
		if len(h.times) < 30 {
			t.Errorf("%d tries in 5 minutes", len(h.times))
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "connection refused") {
			t.Errorf("log of one trouble:\n%s", log)
		}

		h.fail = nil
		pass(maxWait * 3 / 2)
		if q.acked != 1 || !strings.Contains(log.String(), "events reach the hub again") {
			t.Fatalf("acknowledged %d; log:\n%s", q.acked, log)
		}
		// After a success the pauses start from the shortest again.
		h.fail, h.times = func() error { return errors.New("connection refused") }, nil
		q.add(10)
		pass(firstWait * 3 / 2)
		if len(h.times) != 2 {
			t.Errorf("%d tries right after a success, want 2", len(h.times))
		}
	})
}

func TestJitter(t *testing.T) {
	waits := map[time.Duration]bool{}
	synctest.Test(t, func(t *testing.T) {
		q, h := newMemory(1, 10), newHub(t)
		h.fail = func() error { return errors.New("connection refused") }
		run(t, q, h.send)
		pass(5 * time.Minute)
		for i := len(h.times) - 20; i < len(h.times); i++ {
			waits[h.times[i]-h.times[i-1]] = true
		}
	})
	if len(waits) < 15 {
		t.Errorf("20 waits are of %d lengths", len(waits))
	}
}

func TestRetryAfter(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		2 * time.Minute: 2 * time.Minute,
		10 * time.Hour:  maxRetryAfter,
	} {
		synctest.Test(t, func(t *testing.T) {
			q, h := newMemory(1, 10), newHub(t)
			h.fail = func() error {
				h.fail = nil
				return fmt.Errorf("cannot send: %w", &hubapi.Problem{Type: hubapi.KindNotReady, Status: 503, Wait: asked})
			}
			run(t, q, h.send)
			q.add(10) // a new event must not end the pause either
			pass(want - 1)
			if len(h.times) != 1 {
				t.Fatalf("asked to wait for %v, it tried at %v", asked, h.times)
			}
			pass(1)
			if h.last != 2 || h.times[1] != want {
				t.Errorf("hub has %d events, tried at %v", h.last, h.times)
			}
		})
	}
}

// Events whose acknowledgement was lost are sent again.
func TestLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, h := newMemory(100, 6000), newHub(t)
		n := 0
		h.after = func() error {
			if n++; n%3 == 1 {
				return errors.New("connection reset")
			}
			return nil
		}
		run(t, q, h.send)
		pass(time.Minute)
		if q.acked != 100 || h.last != 100 {
			t.Errorf("acknowledged %d, hub has %d of 100", q.acked, h.last)
		}
	})
}

func TestRefusedEventIsReportedAndHoldsUpNoneBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, h := newMemory(20, 10), newHub(t)
		h.poison = 8
		log := run(t, q, h.send)
		pass(time.Minute)
		if q.acked != 7 || h.last != 7 {
			t.Errorf("acknowledged %d, hub has %d, want the 7 before the refused one", q.acked, h.last)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "sequence=8") {
			t.Errorf("log:\n%s", log)
		}
		h.poison = 0 // for example after an update of the hub
		pass(maxWait * 3 / 2)
		if q.acked != 20 {
			t.Errorf("acknowledged %d of 20 after the hub accepts them", q.acked)
		}
	})
}

// TestAnswers checks every answer that a hub may give to a batch of events 3 and 4.
func TestAnswers(t *testing.T) {
	place := func(i int) *int { return &i }
	for _, tt := range []struct {
		name  string
		ack   uint64
		err   error
		acked uint64
		log   string
	}{
		{"all taken", 4, nil, 4, ""},
		{"no answer to the question", 0, nil, 2, "hub acknowledged no event"},
		{"lacks an older one", 0, &hubapi.Problem{Type: hubapi.KindGap, Event: place(0)}, 0, ""},
		{"lacks one that it has", 0, &hubapi.Problem{Type: hubapi.KindGap, Event: place(0), Has: []hubapi.Branch{{First: 1, Last: 2, Link: link(2)}}}, 2, "cannot push events"},
		{"lacks the first of them", 0, &hubapi.Problem{Type: hubapi.KindGap, Event: place(1), Has: []hubapi.Branch{{First: 1, Last: 2, Link: link(2)}}}, 2, ""},
		{"has a gap nowhere", 0, &hubapi.Problem{Type: hubapi.KindGap}, 2, "cannot push events"},
		{"refuses the second", 0, &hubapi.Problem{Type: hubapi.KindEvent, Event: place(1)}, 3, ""},
		{"refuses the first", 0, &hubapi.Problem{Type: hubapi.KindEvent, Event: place(0)}, 2, "hub refused an event"},
		{"refuses none of them", 0, &hubapi.Problem{Type: hubapi.KindEvent, Event: place(2)}, 2, "cannot push events"},
		{"refuses before them", 0, &hubapi.Problem{Type: hubapi.KindEvent, Event: place(-1)}, 2, "cannot push events"},
		{"does not know the key of the second", 0, &hubapi.Problem{Type: hubapi.KindDeviceKey, Event: place(1)}, 3, ""},
		{"does not know the key of the first", 0, &hubapi.Problem{Type: hubapi.KindDeviceKey, Event: place(0)}, 2, "cannot push events"},
		{"is not ready", 0, &hubapi.Problem{Type: hubapi.KindNotReady}, 2, "cannot push events"},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := newMemory(4, 10)
			q.acked = 2
			calls := 0
			log := run(t, q, func(context.Context, []json.RawMessage) (uint64, error) {
				if calls++; calls > 1 {
					return 0, errors.New("unexpected call")
				}
				return tt.ack, tt.err
			})
			if q.acked != tt.acked {
				t.Errorf("%s: acknowledged %d, want %d", tt.name, q.acked, tt.acked)
			}
			if !strings.Contains(log.String(), tt.log) {
				t.Errorf("%s: log lacks %q:\n%s", tt.name, tt.log, log)
			}
			if tt.log != "" && calls != 1 {
				t.Errorf("%s: tried again without a pause", tt.name)
			}
		})
	}
}

// On a slow line batches shrink until they are sent in time.
func TestSlowLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bytesPerSecond = 1000
		q, h := newMemory(200, 1000), newHub(t)
		run(t, q, func(ctx context.Context, batch []json.RawMessage) (uint64, error) {
			size := 0
			for _, e := range batch {
				size += len(e)
			}
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(time.Duration(size) * time.Second / bytesPerSecond):
				return h.send(ctx, batch)
			}
		})
		pass(20 * time.Minute)
		if q.acked != 200 {
			t.Errorf("acknowledged %d of 200", q.acked)
		}
	})
}

// On a line that takes long for large batches, a batch grows only to the size that
// the line carries in about a second, because a person's request shares the line.
func TestBatchesAreShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bytesPerSecond = 200_000
		q, h := newMemory(2000, 1000), newHub(t)
		var longest time.Duration
		run(t, q, func(ctx context.Context, batch []json.RawMessage) (uint64, error) {
			size := 0
			for _, e := range batch {
				size += len(e)
			}
			took := time.Duration(size) * time.Second / bytesPerSecond
			longest = max(longest, took)
			<-time.After(took)
			return h.send(ctx, batch)
		})
		pass(15 * time.Second)
		if q.acked != 2000 || longest > batchTime || longest < batchTime/2 {
			t.Errorf("acknowledged %d of 2000; the longest batch took %v", q.acked, longest)
		}
	})
}

func TestLargeEventGoesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, h := newMemory(3, firstBatch), newHub(t)
		run(t, q, h.send)
		if q.acked != 3 || len(h.batches[0]) != 1 {
			t.Errorf("acknowledged %d of 3; the first batch held %d", q.acked, len(h.batches[0]))
		}
	})
}

func TestUnreadableOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, h := newMemory(1, 10), newHub(t)
		q.broken = errors.New("cannot read outbox: input/output error")
		log := run(t, q, h.send)
		pass(time.Minute)
		if n := strings.Count(log.String(), "input/output error"); n != 1 {
			t.Errorf("log:\n%s", log)
		}
		q.broken = nil
		pass(maxWait * 3 / 2)
		if q.acked != 1 {
			t.Error("it gave up")
		}
	})
}

// TestRestarts pushes a real outbox over a bad line and restarts the pusher after
// every few calls.
func TestRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox.db")
	const events = 60
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		for round := 0; ; round++ {
			s, err := store.Open(path, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for n := s.Len(); round == 0 && n < events; n++ {
				if _, err := s.Append(seal); err != nil {
					t.Fatal(err)
				}
			}
			if s.Len() == 0 {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				return
			}
			ctx, cancel := context.WithCancel(t.Context())
			calls := 0
			h.after = func() error {
				if calls++; calls%2 == 1 {
					return errors.New("connection reset")
				}
				cancel()
				return nil
			}
			p := &Pusher{Queue: s, Send: whole(h.send), Log: slog.New(slog.DiscardHandler)}
			if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			cancel()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
	s, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Len() != 0 {
		t.Errorf("%d events are left", s.Len())
	}
}

func seal(seq uint64, _ []byte) (record, link []byte, err error) {
	return fmt.Appendf(nil, `{"sequence":%d,"pad":"%s"}`, seq, strings.Repeat("x", 6000)), make([]byte, store.LinkSize), nil
}
