//go:build linux

package reader_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"testing"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/reader"
	"smartkiosk/device/slot"
)

func TestMain(m *testing.M) { pcsctest.Main(m) }

// patience bounds the waits of a test that fails.
const patience = 20 * time.Second

func cards(t *testing.T) map[string]*cardsim.Card {
	t.Helper()
	p, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return p.Cards
}

// start starts pcscd and waits until it accepts clients, which is a moment after it
// says that it is ready.
func start(t *testing.T) *pcsctest.Daemon {
	t.Helper()
	d := pcsctest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for e := range newReader().Watch(ctx) {
		if e.State != slot.NoReader {
			return d
		}
	}
	t.Fatal("pcscd takes no clients")
	return nil
}

func newReader() *reader.Reader {
	return reader.New(pcsctest.Reader, slog.New(slog.DiscardHandler))
}

// watch returns a function that reads the next event and compares its state.
func watch(t *testing.T, r *reader.Reader) func(slot.State) slot.Event {
	t.Helper()
	events := r.Watch(t.Context())
	return func(want slot.State) slot.Event {
		t.Helper()
		e := take(t, events)
		if e.State != want {
			t.Fatalf("got %v %q (%v), want %v", e.State, e.Reader, e.Err, want)
		}
		return e
	}
}

func take(t *testing.T, events <-chan slot.Event) slot.Event {
	t.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			t.Fatal("no more events")
		}
		return e
	case <-time.After(patience):
		t.Fatal("no event")
	}
	return slot.Event{}
}

// present waits for a card, which pcscd may see a moment after the reader.
func present(t *testing.T, events <-chan slot.Event) {
	t.Helper()
	e := take(t, events)
	if e.State == slot.Empty {
		e = take(t, events)
	}
	if e.State != slot.Present {
		t.Fatalf("got %v (%v)", e.State, e.Err)
	}
}

func TestInsertionAndRemoval(t *testing.T) {
	d := start(t)
	next := watch(t, newReader())
	if e := next(slot.Empty); e.Reader != pcsctest.Reader {
		t.Errorf("reader %q", e.Reader)
	}
	card := cards(t)["valid"]
	remove := d.Insert(t, card)
	if e := next(slot.Present); string(e.ATR) != string(card.ATR()) || e.Reader != pcsctest.Reader {
		t.Errorf("ATR %X in %q", e.ATR, e.Reader)
	}
	remove()
	next(slot.Empty)
}

// TestSwap: a receiver that was busy while a card was replaced gets Empty before
// Present, because it is another card.
func TestSwap(t *testing.T) {
	d := start(t)
	c := cards(t)
	remove := d.Insert(t, c["valid"])
	next := watch(t, newReader())
	next(slot.Present)
	remove()
	d.Insert(t, c["expired"])
	next(slot.Empty)
	next(slot.Present)
}

func TestMuteCard(t *testing.T) {
	d := start(t)
	r := newReader()
	next := watch(t, r)
	next(slot.Empty)
	remove := d.Insert(t, cards(t)["mute"])
	if e := next(slot.Mute); e.ATR != nil {
		t.Errorf("ATR %X", e.ATR)
	}
	if _, err := r.Connect(t.Context()); !errors.Is(err, slot.ErrNoCard) {
		t.Errorf("connect: %v", err)
	}
	remove()
	next(slot.Empty)
}

// TestServiceDiesAndComesBack restarts pcscd while a card is connected.
func TestServiceDiesAndComesBack(t *testing.T) {
	d := start(t)
	r := newReader()
	events := r.Watch(t.Context())
	d.Insert(t, cards(t)["valid"])
	present(t, events)
	held, err := r.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	d.Kill()
	if e := take(t, events); e.State != slot.NoReader || e.Err == nil {
		t.Errorf("got %v, %v", e.State, e.Err)
	}
	if _, err := held.Transmit(t.Context(), selectMF); !errors.Is(err, slot.ErrNoCard) {
		t.Errorf("transmit without a service: %v", err)
	}
	if err := held.Close(); err != nil {
		t.Errorf("close without a service: %v", err)
	}

	d.Restart(t)
	present(t, events)
	conn, err := r.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Transmit(t.Context(), selectMF); err != nil {
		t.Error(err)
	}
}

func TestNoServiceAtAll(t *testing.T) {
	d := start(t)
	d.Kill()
	r := newReader()
	next := watch(t, r)
	if e := next(slot.NoReader); e.Err == nil {
		t.Error("no reason is given")
	}
	if c, err := r.Connect(t.Context()); err == nil {
		c.Close()
		t.Error("connected to nothing")
	}
	d.Restart(t)
	next(slot.Empty)
}

func TestNoReaderThatMatches(t *testing.T) {
	start(t)
	r := reader.New("no such reader", slog.New(slog.DiscardHandler))
	e := watch(t, r)(slot.NoReader)
	if other, ok := errors.AsType[*slot.NoMatchError](e.Err); !ok || other.Match != "no such reader" || !slices.Contains(other.Readers, pcsctest.Reader) {
		t.Errorf("the reason is %v", e.Err)
	}
	if _, err := r.Connect(t.Context()); !errors.Is(err, slot.ErrNoCard) {
		t.Errorf("connect: %v", err)
	}
}

// TestTwoWatches: two concurrent calls of Watch for one reader get the same events,
// although scard keeps only one copy of a reader's name.
func TestTwoWatches(t *testing.T) {
	d := start(t)
	r := newReader()
	one, two := watch(t, r), watch(t, r)
	one(slot.Empty)
	two(slot.Empty)
	runtime.GC()
	remove := d.Insert(t, cards(t)["valid"])
	one(slot.Present)
	two(slot.Present)
	runtime.GC()
	remove()
	one(slot.Empty)
	two(slot.Empty)
}

// TestWatchEnds: cancelling ends a waiting Watch at once.
func TestWatchEnds(t *testing.T) {
	start(t)
	ctx, cancel := context.WithCancel(t.Context())
	events := newReader().Watch(ctx)
	<-events
	cancel()
	select {
	case _, open := <-events:
		if open {
			t.Error("an event after cancelling")
		}
	case <-time.After(patience):
		t.Error("still watching")
	}
}

var (
	selectMF  = []byte{0x00, 0xA4, 0x00, 0x00, 0x02, 0x3F, 0x00}
	selectApp = append([]byte{0x00, 0xA4, 0x04, 0x0C, 0x0C}, "\xA0\x00\x00\x00\x63PKCS-15"...)
	verify    = []byte("\xA0\x20\x00\x82\x081234\xFF\xFF\xFF\xFF")
	tries     = []byte{0x00, 0x20, 0x00, 0x82}
)

func transmit(t *testing.T, c slot.Conn, command []byte) apdu.Status {
	t.Helper()
	b, err := c.Transmit(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	r, err := apdu.ParseResponse(b)
	if err != nil {
		t.Fatal(err)
	}
	return r.SW
}

// TestCloseResets: after Close the PIN is not verified any more. Watch reports neither
// Close nor Connect as another card.
func TestCloseResets(t *testing.T) {
	d := start(t)
	remove := d.Insert(t, cards(t)["valid"])
	r := newReader()
	next := watch(t, r)
	next(slot.Present)
	for range 2 {
		conn, err := r.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		transmit(t, conn, selectApp)
		if sw := transmit(t, conn, tries); sw != 0x63C3 {
			t.Errorf("the PIN counts as verified before VERIFY: %v", sw)
		}
		if sw := transmit(t, conn, verify); sw != apdu.OK {
			t.Fatalf("verify: %v", sw)
		}
		if sw := transmit(t, conn, tries); sw != apdu.OK {
			t.Errorf("a verified PIN: %v", sw)
		}
		for range 2 {
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := conn.Transmit(t.Context(), tries); !errors.Is(err, slot.ErrNoCard) {
			t.Errorf("transmit after close: %v", err)
		}
	}
	remove()
	next(slot.Empty)
}

// TestExclusive: another program cannot use the card until Close.
func TestExclusive(t *testing.T) {
	d := start(t)
	d.Insert(t, cards(t)["valid"])
	conn, err := newReader().Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := newReader()
	if _, err := other.Connect(t.Context()); err == nil || errors.Is(err, slot.ErrNoCard) {
		t.Errorf("a second claim: %v", err)
	}
	conn.Close()
	again, err := other.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

// TestConnectWaitsForClose: one Reader has one Conn at a time.
func TestConnectWaitsForClose(t *testing.T) {
	d := start(t)
	d.Insert(t, cards(t)["valid"])
	r := newReader()
	first, err := r.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Connect(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("second: %v", err)
	}
	first.Close()
	second, err := r.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

func TestPulledBetweenCommands(t *testing.T) {
	d := start(t)
	r := newReader()
	next := watch(t, r)
	next(slot.Empty)
	remove := d.Insert(t, cards(t)["valid"])
	next(slot.Present)
	conn, err := r.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	transmit(t, conn, selectMF)
	remove()
	if _, err := conn.Transmit(t.Context(), selectMF); !errors.Is(err, slot.ErrNoCard) {
		t.Errorf("transmit: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	next(slot.Empty)
	if _, err := r.Connect(t.Context()); !errors.Is(err, slot.ErrNoCard) {
		t.Errorf("connect: %v", err)
	}
}

func TestMalformedCommand(t *testing.T) {
	d := start(t)
	d.Insert(t, cards(t)["valid"])
	conn, err := newReader().Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, b := range [][]byte{nil, {0x00, 0xA4, 0x00}} {
		if _, err := conn.Transmit(t.Context(), b); !errors.Is(err, apdu.ErrMalformed) {
			t.Errorf("%X: %v", b, err)
		}
	}
}
