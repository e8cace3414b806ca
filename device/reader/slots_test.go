package reader

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ebfe/scard"

	"smartkiosk/device/slot"
)

// TestAnyReaders draws sequences of states of three readers. Whenever a card
// answers in one of them the slot must hold a card that answers, and a card that
// the slot held before must stay its card.
func TestAnyReaders(t *testing.T) {
	names := []string{"A 00 00", "A 00 01", "B 00 00"}
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 1))
		now := slot.Event{}
		w := watch{Reader: New("", slog.New(slog.DiscardHandler)), emit: func(e slot.Event) { now = e }, missing: errUnplugged}
		w.known = map[string]scard.ReaderState{}
		for range 12 {
			before := now
			name := names[random.IntN(len(names))]
			counter := w.known[name].EventState>>16 + 1
			state := []scard.StateFlag{scard.StateEmpty, scard.StatePresent, scard.StatePresent | scard.StateMute, scard.StateUnavailable}[random.IntN(4)]
			w.known[name] = scard.ReaderState{EventState: state | counter<<16}
			w.update(names)
			answers := map[string]bool{}
			for _, n := range names {
				s := w.known[n].EventState
				answers[n] = s&scard.StatePresent != 0 && s&scard.StateMute == 0
			}
			want := answers[names[0]] || answers[names[1]] || answers[names[2]]
			if got := now.State == slot.Present && answers[now.Reader]; got != want {
				t.Fatalf("seed %d: the slot is %v in %q; cards that answer: %v", seed, now.State, now.Reader, answers)
			}
			if before.State == slot.Present && before.Reader != name && now.Reader != before.Reader {
				t.Fatalf("seed %d: the card in %q was replaced by %v in %q", seed, before.Reader, now.State, now.Reader)
			}
		}
	}
}

// TestNoReader: the error says what was looked for and what there is.
func TestNoReader(t *testing.T) {
	r := New("Twin", slog.New(slog.DiscardHandler))
	for _, c := range []struct {
		names []string
		want  string
	}{
		{nil, "no card reader is connected"},
		{[]string{"ACS ACR39U 00 00"}, `no reader's name contains "Twin"; there are ["ACS ACR39U 00 00"]`},
		{[]string{"Gemalto PC Twin 01 00"}, `the reader does not work: ["Gemalto PC Twin 01 00"]`},
	} {
		if err := r.noReader(c.names); err.Error() != c.want {
			t.Errorf("%q: %v, want %s", c.names, err, c.want)
		}
	}
}

// TestChangeLog: a missing reader is logged once a minute, and a reader that
// flaps does not fill the log.
func TestChangeLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := changeLog{log: slog.New(slog.NewTextHandler(&out, nil))}
		lines := func(text string) int {
			defer out.Reset()
			return strings.Count(out.String(), text)
		}
		missing := New("Twin", nil).noReader([]string{"ACS ACR39U 00 00"})
		for range 10 * 60 / 5 { // for ten minutes, every 5 seconds
			c.missing(missing)
			time.Sleep(5 * time.Second)
		}
		if n := lines(`no card reader" reason="no reader's name contains \"Twin\"; there are`); n != 10 {
			t.Errorf("a missing reader was logged %d times in 10 minutes", n)
		}
		c.missing(New("Twin", nil).noReader(nil))
		if n := lines("no card reader is connected"); n != 1 {
			t.Errorf("a new reason was logged %d times", n)
		}
		for range 3 * 60 { // for three minutes, every second
			c.logChange(false, "A")
			c.logChange(true, "A")
			time.Sleep(time.Second)
		}
		all := out.String()
		if n := strings.Count(all, "\n"); n != 3*quietAfter+2 || !strings.Contains(all, "comes and goes") || !strings.Contains(all, "changes=120") {
			t.Errorf("a flapping reader was logged in %d lines:\n%s", n, all)
		}
		out.Reset()
		c.missing(missing)
		if lines("no card reader") != 1 {
			t.Error("a reader that is missing after a change was not logged at once")
		}
	})
}

// TestOtherReader: each change of the readers that do not match is an event, because
// the technician sees them.
func TestOtherReader(t *testing.T) {
	var got []string
	w := watch{Reader: New("Twin", slog.New(slog.DiscardHandler)), emit: func(e slot.Event) { got = append(got, e.State.String()+" "+mismatch(e)) }}
	for _, names := range [][]string{{"ACS"}, {"ACS"}, nil, {"Cherry", "ACS"}, {"Cherry", "ACS"}} {
		w.missing = w.noReader(names)
		w.update(nil)
	}
	want := []string{
		`no reader no reader's name contains "Twin"; there are ["ACS"]`, "no reader ", `no reader no reader's name contains "Twin"; there are ["Cherry" "ACS"]`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestReaderUnderAnotherName: a reader that returns with another index still is the
// slot's reader, and the card in it a new one.
func TestReaderUnderAnotherName(t *testing.T) {
	var got []slot.Event
	w := watch{Reader: New("Twin", slog.New(slog.DiscardHandler)), emit: func(e slot.Event) { got = append(got, e) }, missing: errUnplugged}
	for i, name := range []string{"Gemalto PC Twin 00 00", "", "Gemalto PC Twin 01 00", "", "Gemalto USB Twin SmartCard Reader 00 00"} {
		names := w.matching([]string{name})
		w.known = map[string]scard.ReaderState{}
		for _, n := range names {
			w.known[n] = scard.ReaderState{EventState: scard.StatePresent | scard.StateFlag(i)<<16, Atr: []byte{0x3B, 0x00}}
		}
		w.update(names)
		if e := got[len(got)-1]; len(got) != i+1 || e.Reader != name || (e.State == slot.Present) != (name != "") {
			t.Fatalf("%q: %+v", name, got)
		}
	}
}
