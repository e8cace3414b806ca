package daemon

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/terminal"
)

// padSlot is a slot whose reader has its own PIN pad.
type padSlot struct {
	*cardsim.Slot
	types string // the PIN that the holder types on the pad
	fails error  // the error of the pad, instead of a PIN
}

func (s *padSlot) Connect(ctx context.Context) (slot.Conn, error) {
	conn, err := s.Slot.Connect(ctx)
	return padConn{conn, s}, err
}

type padConn struct {
	slot.Conn
	pad *padSlot
}

func (padConn) HasPINPad() bool { return true }

func (c padConn) VerifyOnPad(ctx context.Context, e slot.PINEntry) ([]byte, error) {
	if c.pad.fails != nil {
		return nil, fmt.Errorf("cannot verify on the reader: %w", c.pad.fails)
	}
	command := bytes.Clone(e.Command)
	copy(command[5:], c.pad.types)
	return c.Transmit(ctx, command)
}

// TestPINPad checks that the terminal learns about the reader's PIN pad, and about
// every result of a PIN entry on it.
func TestPINPad(t *testing.T) {
	pki, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pad := &padSlot{Slot: cardsim.NewSlot("slot")}
	pad.Insert(pki.Cards["valid"])
	card, err := newCardSlot(pad, smartkort.Driver{}).Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer card.Close()
	if _, err := card.Certificates(t.Context()); err != nil {
		t.Fatal(err)
	}
	status, err := card.PINStatus(t.Context(), 0)
	if err != nil || !status.OnReader || status.Tries != testpki.Tries || status.Min != 4 {
		t.Fatalf("%+v, %v", status, err)
	}
	for fails, want := range map[error]terminal.PadResult{
		slot.ErrPadCancelled: terminal.PadCancelled,
		slot.ErrPadTimeout:   terminal.PadTimedOut,
		slot.ErrPadLength:    terminal.PadMistyped,
	} {
		pad.failsAs(t, card, fails, want)
	}
	pad.fails, pad.types = nil, "0000"
	err = card.VerifyPINOnPad(t.Context(), 0)
	if wrong, ok := errors.AsType[*terminal.PINError](err); !ok || wrong.Status.Tries != testpki.Tries-1 || !wrong.Status.TriesKnown {
		t.Errorf("a wrong PIN: %v", err)
	}
	pad.types = testpki.PIN
	if err := card.VerifyPINOnPad(t.Context(), 0); err != nil {
		t.Errorf("the right PIN: %v", err)
	}
	pad.failsAs(t, card, errors.New("invalid parameter"), terminal.PadRefused)
	if status, err := card.PINStatus(t.Context(), 0); err != nil || status.OnReader {
		t.Errorf("after a refusal: %+v, %v", status, err)
	}
}

// failsAs lets the reader fail and checks the result that the terminal learns.
func (s *padSlot) failsAs(t *testing.T, card terminal.Card, fails error, want terminal.PadResult) {
	t.Helper()
	s.fails = fails
	err := card.VerifyPINOnPad(t.Context(), 0)
	if got, ok := errors.AsType[*terminal.PadError](err); !ok || got.Result != want || !errors.Is(err, fails) {
		t.Errorf("the reader's error %v became %#v", fails, err)
	}
}

// TestCardErrors checks that the terminal learns what a person can do about a card.
func TestCardErrors(t *testing.T) {
	for cause, want := range map[error]kiosk.Reason{
		smartkort.ErrUnknownCard:     kiosk.CardUnknown,
		smartkort.ErrSecureMessaging: kiosk.CardUnknown,
		smartkort.ErrTimeout:         kiosk.CardTimeout,
		smartkort.ErrInactive:        kiosk.CardInactive,
		smartkort.ErrNextRecipe:      kiosk.CardRetry,
	} {
		err := cardError(fmt.Errorf("cannot verify PIN: %w", cause))
		if got, ok := errors.AsType[*terminal.CardError](err); !ok || got.Reason != want || !errors.Is(err, cause) {
			t.Errorf("%v is told as %v", cause, err)
		}
	}
	if err := cardError(slot.ErrNoCard); !errors.Is(err, slot.ErrNoCard) || errors.As(err, new(*terminal.CardError)) {
		t.Errorf("a card that is gone: %v", err)
	}
}

// TestPulledWhileItSigns checks that a removed card is distinguished from one that
// fails to sign.
func TestPulledWhileItSigns(t *testing.T) {
	pki, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := cardsim.NewSlot("slot")
	s.Insert(pki.Cards["valid"])
	card, err := newCardSlot(s, smartkort.Driver{}).Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer card.Close()
	if _, err := card.Certificates(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := card.VerifyPIN(t.Context(), 0, []byte(testpki.PIN)); err != nil {
		t.Fatal(err)
	}
	key, err := card.Signer(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	s.Remove()
	if _, err := key.Sign(nil, make([]byte, 32), crypto.SHA256); !errors.Is(err, terminal.ErrNoCard) {
		t.Errorf("it is told as %v", err)
	}
}

// TestAuthorities checks that the CA certificates on the card are returned.
func TestAuthorities(t *testing.T) {
	pki, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	kinds, err := pki.Kinds()
	if err != nil {
		t.Fatal(err)
	}
	s := cardsim.NewSlot("slot")
	s.Insert(kinds[cardsim.TwoPIN].Card)
	card, err := newCardSlot(s, smartkort.Driver{}).Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer card.Close()
	authorities, err := card.Authorities(t.Context())
	if err != nil || len(authorities) != 1 || !bytes.Equal(authorities[0], pki.PersonCA.Raw) {
		t.Errorf("%d authorities, %v", len(authorities), err)
	}
}

// TestNoReaderEvent checks that the terminal learns which reader is looked for and which
// is there.
func TestNoReaderEvent(t *testing.T) {
	for _, c := range []struct {
		err  error
		want kiosk.ReaderGone
	}{
		{fmt.Errorf("no reader: %w", &slot.NoMatchError{Match: "Twin", Readers: []string{"ACS ACR39U", "Cherry"}}), kiosk.ReaderGone{Wanted: "Twin", Found: "ACS ACR39U"}},
		{errors.New("no card reader is connected"), kiosk.ReaderGone{}},
		{nil, kiosk.ReaderGone{}},
	} {
		if got := slotEvent(slot.Event{State: slot.NoReader, Err: c.err}); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.err, got, c.want)
		}
	}
}

// twoReaders is a slot of two readers. It reports a card in reader A, and then A is empty
// and reader B has another card.
type twoReaders struct {
	slot.Slot
	events    chan slot.Event
	connected []string
}

func (s *twoReaders) Watch(context.Context) <-chan slot.Event { return s.events }

func (s *twoReaders) ConnectTo(_ context.Context, reader string) (slot.Conn, error) {
	s.connected = append(s.connected, reader)
	return nil, slot.ErrNoCard
}

// With cards in two readers, a visit opens the card that began it. A visit whose card is
// gone never opens another one.
func TestVisitOpensItsOwnCard(t *testing.T) {
	readers := &twoReaders{events: make(chan slot.Event)}
	cards := newCardSlot(readers, smartkort.Driver{})
	events := cards.Watch(t.Context())
	insert := func(reader string) string {
		readers.events <- slot.Event{State: slot.Present, Reader: reader}
		return (<-events).(kiosk.CardInserted).Visit
	}
	first := insert("A")
	if _, err := cards.Open(t.Context(), first); !errors.Is(err, terminal.ErrNoCard) {
		t.Errorf("the first visit: %v", err)
	}
	second := insert("B")
	for _, visit := range []string{first, second} {
		if _, err := cards.Open(t.Context(), visit); !errors.Is(err, terminal.ErrNoCard) {
			t.Errorf("visit %s: %v", visit, err)
		}
	}
	if _, err := cards.Open(t.Context(), cards.latest.again()); !errors.Is(err, terminal.ErrNoCard) {
		t.Errorf("another visit with the same card: %v", err)
	}
	if want := []string{"A", "B", "B"}; !slices.Equal(readers.connected, want) {
		t.Errorf("the visits connected to %q, want %q", readers.connected, want)
	}
	close(readers.events)
}
