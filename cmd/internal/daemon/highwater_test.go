package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/store"
)

// TestHighWater checks that no event is ever beyond the stored mark, that the mark is
// written seldom, and that no event is appended when the mark cannot be written.
func TestHighWater(t *testing.T) {
	state := t.TempDir()
	d := newTended(t, state, store.Options{})
	marks := map[highWater]bool{}
	for range 3 * highWaterStep {
		d.fill(1, 10)
		m, err := readHighWater(d.records)
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
		t.Errorf("%d events took %d marks", 3*highWaterStep, len(marks))
	}
	for m := range marks {
		if m.Acked != m.Through-highWaterStep {
			t.Errorf("the mark %+v was made when all before it was acknowledged", m)
		}
	}

	// Between visits the mark is moved before it is reached.
	d.fill(highWaterStep/2+1, 10)
	if _, err := d.store.Level(); err != nil {
		t.Fatal(err)
	}
	if m, err := readHighWater(d.records); err != nil || m.Through != d.store.Sequence()+highWaterStep {
		t.Errorf("%+v with %d events, %v", m, d.store.Sequence(), err)
	}

	// No event is appended after the records were truncated.
	if err := os.Truncate(filepath.Join(state, "records.db"), 0); err != nil {
		t.Fatal(err)
	}
	through := d.store.Sequence() + highWaterStep
	d.fill(highWaterStep, 10)
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

// TestOldCopy checks that an outbox that was replaced with an older copy uses no
// sequence number twice, and reports the events that it lacks as lost.
func TestOldCopy(t *testing.T) {
	state := t.TempDir()
	path := filepath.Join(state, "outbox.db")
	d := newTended(t, state, store.Options{})
	d.fill(10, 2000)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d.fill(3*highWaterStep, 2000)
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	outbox, err := d.opening(path, away).open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer outbox.Close()
	if p := outbox.Position(); p != (store.Position{First: 1, Acked: 0, Last: 4 * highWaterStep}) {
		t.Errorf("it stands at %+v", p)
	}
	records, err := outbox.Records(9, 2)
	if err != nil || len(records) != 2 || len(records[0].Data) != 2000 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	e, err := d.opener.Open(records[1].Data, d.device.Public())
	if err != nil || e.Type != event.TypeLost || string(e.Payload) != fmt.Sprintf(`{"from":11,"through":%d}`, 4*highWaterStep) {
		t.Errorf("event 11 is %s %s, %v", e.Type, e.Payload, err)
	}
}
