package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"smartkiosk/kiosk/event"
	"smartkiosk/store"
)

// TestMark: at no moment is there an event beyond the mark that is kept, it is
// written seldom, and where it cannot be, no event is.
func TestMark(t *testing.T) {
	state := t.TempDir()
	d := newTended(t, state, store.Options{})
	marks := map[mark]bool{}
	for range 3 * markStep {
		d.fill(1, 10)
		m, err := readMark(d.records)
		if err != nil {
			t.Fatal(err)
		}
		if m.Through < d.store.Sequence() {
			t.Fatalf("event %d is beyond the mark, %d", d.store.Sequence(), m.Through)
		}
		marks[m] = true
		if err := d.store.Ack(d.store.Sequence()); err != nil {
			t.Fatal(err)
		}
	}
	if len(marks) != 3 {
		t.Errorf("%d events took %d marks", 3*markStep, len(marks))
	}
	for m := range marks {
		if m.Acked != m.Through-markStep {
			t.Errorf("the mark %+v was made when all before it was acknowledged", m)
		}
	}

	// Between visits it is moved before it must be.
	d.fill(markStep/2+1, 10)
	if _, err := d.store.Level(); err != nil {
		t.Fatal(err)
	}
	if m, err := readMark(d.records); err != nil || m.Through != d.store.Sequence()+markStep {
		t.Errorf("%+v with %d events, %v", m, d.store.Sequence(), err)
	}

	// A file that is cut short under it takes no more.
	if err := os.Truncate(filepath.Join(state, "records.db"), 0); err != nil {
		t.Fatal(err)
	}
	through := d.store.Sequence() + markStep
	d.fill(markStep, 10)
	_, err := d.store.Append(func(uint64, []byte) ([]byte, []byte, error) { return nil, make([]byte, store.LinkSize), nil })
	if !errors.Is(err, store.ErrBroken) || d.store.Sequence() != through {
		t.Errorf("event %d, beyond the mark %d: %v", d.store.Sequence(), through, err)
	}
	if level, err := d.store.Level(); level != store.Full || !errors.Is(err, store.ErrBroken) {
		t.Errorf("%v, %v", level, err)
	}
	var why error
	if d.tend(t.Context(), func(err error) { why = err }); !errors.Is(why, store.ErrBroken) {
		t.Errorf("the kiosk ends with %v", why)
	}
}

// TestOldCopy: an outbox that is put back to an older state gives no number
// twice, and says what it has not.
func TestOldCopy(t *testing.T) {
	state := t.TempDir()
	path := filepath.Join(state, "outbox.db")
	d := newTended(t, state, store.Options{})
	d.fill(10, 2000)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d.fill(3*markStep, 2000)
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	away := func(context.Context, []json.RawMessage) (uint64, error) { return 0, errors.New("away") }
	outbox, err := openOutbox(path, store.Options{}, d.records, d.journal, away, d.log)
	if err != nil {
		t.Fatal(err)
	}
	defer outbox.Close()
	if p := outbox.Position(); p != (store.Position{First: 1, Acked: 0, Last: 4 * markStep}) {
		t.Errorf("it stands at %+v", p)
	}
	records, err := outbox.Records(9, 2)
	if err != nil || len(records) != 2 || len(records[0].Data) != 2000 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	e, err := d.opener.Open(records[1].Data, d.device.Public())
	if err != nil || e.Type != event.TypeLost || string(e.Payload) != fmt.Sprintf(`{"from":11,"through":%d}`, 4*markStep) {
		t.Errorf("event 11 is %s %s, %v", e.Type, e.Payload, err)
	}
}

// TestBeginOutbox: where an outbox goes on of which nothing is left, and what is
// said to be lost.
func TestBeginOutbox(t *testing.T) {
	away := errors.New("away")
	for _, tt := range []struct {
		name  string
		known mark
		hub   uint64
		err   error
		want  store.Position // zero: it does not
	}{
		{"hub and mark", mark{Through: 300, Acked: 100}, 120, nil, store.Position{First: 121, Acked: 120, Last: 300}},
		{"mark alone", mark{Through: 300, Acked: 100}, 0, away, store.Position{First: 101, Acked: 100, Last: 300}},
		{"hub alone", mark{}, 120, nil, store.Position{First: 121, Acked: 120, Last: 121}},
		{"hub beyond the mark", mark{Through: 110, Acked: 100}, 120, nil, store.Position{First: 121, Acked: 120, Last: 121}},
		{"neither", mark{}, 0, away, store.Position{}},
	} {
		d := newTended(t, t.TempDir(), store.Options{})
		path := filepath.Join(t.TempDir(), "outbox.db")
		ask := func(context.Context, []json.RawMessage) (uint64, error) { return tt.hub, tt.err }
		err := beginOutbox(path, tt.known, d.journal, ask, d.log)
		if tt.want == (store.Position{}) {
			if !errors.Is(err, away) {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(path, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if s.Position() != tt.want {
			t.Errorf("%s: it stands at %+v, want %+v", tt.name, s.Position(), tt.want)
		}
	}
}
