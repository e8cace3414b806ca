package daemon

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/google/uuid"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/terminal"
)

// cardSlot adapts a slot and the card driver to terminal.Slot.
type cardSlot struct {
	slot   slot.Slot
	driver smartkort.Driver
	latest *latestVisit
}

func newCardSlot(s slot.Slot, d smartkort.Driver) cardSlot { return cardSlot{s, d, &latestVisit{}} }

// latestVisit is the visit that the last inserted card began, and that card's reader. The
// reader of an earlier visit is not needed any more.
type latestVisit struct {
	mu            sync.Mutex
	visit, reader string
}

func (l *latestVisit) set(visit, reader string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.visit, l.reader = visit, reader
}

// again begins another visit with the same card and returns its id.
func (l *latestVisit) again() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.visit = newVisit()
	return l.visit
}

// readerOf returns the reader of a visit's card. It fails if another card has been
// inserted since, because the visit is over then.
func (l *latestVisit) readerOf(visit string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if visit != l.visit {
		return "", fmt.Errorf("%w: another card has been inserted", terminal.ErrNoCard)
	}
	return l.reader, nil
}

// openCards returns the slot with the card software that the configuration names: our
// driver, or a PKCS #11 module of the card vendor. again begins another visit with the card
// in the slot and returns its id.
func openCards(c config.Reader, s slot.Slot, driver smartkort.Driver) (slots terminal.Slot, again func() string, err error) {
	cards := newCardSlot(s, driver)
	if c.PKCS11 == "" {
		return cards, cards.latest.again, nil
	}
	slots, err = openModule(cards, c.PKCS11, c.Match)
	return slots, cards.latest.again, err
}

func (s cardSlot) Watch(ctx context.Context) <-chan kiosk.Event {
	events := make(chan kiosk.Event)
	go func() {
		defer close(events)
		for e := range s.slot.Watch(ctx) {
			card := slotEvent(e)
			if inserted, ok := card.(kiosk.CardInserted); ok {
				s.latest.set(inserted.Visit, e.Reader)
			}
			select {
			case events <- card:
			case <-ctx.Done():
			}
		}
	}()
	return events
}

// newVisit returns the id of a new visit, a UUIDv7, so that visits sort by time.
func newVisit() string { return uuid.Must(uuid.NewV7()).String() }

// slotEvent translates an event of the reader. It gives each insertion the id of a new
// visit.
func slotEvent(e slot.Event) kiosk.Event {
	switch e.State {
	case slot.Empty:
		return kiosk.CardGone{}
	case slot.Present:
		return kiosk.CardInserted{Visit: newVisit()}
	case slot.Mute:
		return kiosk.CardSilent{Visit: newVisit()}
	}
	if other, ok := errors.AsType[*slot.NoMatchError](e.Err); ok {
		return kiosk.ReaderGone{Wanted: other.Match, Found: other.Readers[0]}
	}
	return kiosk.ReaderGone{}
}

func (s cardSlot) Open(ctx context.Context, visit string) (terminal.Card, error) {
	reader, err := s.latest.readerOf(visit)
	if err != nil {
		return nil, err
	}
	conn, err := slot.ConnectTo(ctx, s.slot, reader)
	if err != nil {
		return nil, cardError(err)
	}
	card, err := s.driver.Open(ctx, conn)
	if err != nil {
		return nil, cardError(errors.Join(err, conn.Close()))
	}
	return &identityCard{card: card}, nil
}

// identityCard adapts a smartkort.Card to terminal.Card.
type identityCard struct {
	card         *smartkort.Card
	signing      bool // its keys are those for signatures of documents
	certificates []smartkort.Certificate
	pin          smartkort.PIN // of the certificate in the last call of PINStatus
}

// Signing implements terminal.Card.
func (c *identityCard) Signing() terminal.SigningCard {
	return &identityCard{card: c.card, signing: true}
}

// Certificates reads only the authentication certificates, or only those for signatures, as
// DER. A second call reads them from the card again and does not use the cache.
func (c *identityCard) Certificates(ctx context.Context) ([][]byte, error) {
	read := c.card.AuthenticationCertificates
	if c.signing {
		read = c.card.SignatureCertificates
	}
	certificates, err := read(ctx)
	if err != nil {
		return nil, cardError(err)
	}
	c.certificates = certificates
	der := make([][]byte, len(certificates))
	for i, certificate := range certificates {
		der[i] = certificate.DER
	}
	return der, nil
}

func (c *identityCard) Authorities(ctx context.Context) ([][]byte, error) {
	authorities, err := c.card.Authorities(ctx)
	der := make([][]byte, len(authorities))
	for i, authority := range authorities {
		der[i] = authority.DER
	}
	return der, cardError(err)
}

func (c *identityCard) PINStatus(ctx context.Context, certificate int) (kiosk.PINStatus, error) {
	var err error
	if c.pin, err = c.card.PIN(ctx, c.certificates[certificate]); err != nil {
		return kiosk.PINStatus{}, cardError(err)
	}
	tries, known, err := c.card.PINTries(ctx, c.certificates[certificate])
	return c.status(tries, known), cardError(err)
}

func (c *identityCard) status(tries int, known bool) kiosk.PINStatus {
	return kiosk.PINStatus{
		Min: c.pin.MinLength, Max: c.pin.MaxLength, Tries: max(tries, 0), TriesKnown: known, OnReader: c.card.HasPINPad(),
	}
}

func (c *identityCard) VerifyPIN(ctx context.Context, certificate int, pin []byte) error {
	return pinError(c.card.VerifyPIN(ctx, c.certificates[certificate], pin), c.left)
}

func (c *identityCard) VerifyPINOnPad(ctx context.Context, certificate int) error {
	return pinError(c.card.VerifyPINOnPad(ctx, c.certificates[certificate]), c.left)
}

// left returns the PIN's status with the given number of tries left. A negative number
// means unknown.
func (c *identityCard) left(tries int) kiosk.PINStatus { return c.status(tries, tries >= 0) }

func (c *identityCard) Signer(ctx context.Context, certificate int) (crypto.Signer, error) {
	signer, err := c.card.Signer(ctx, c.certificates[certificate])
	return cardKey{signer}, cardError(err)
}

// Services asks the card nothing: PINStatus has read what it needs.
func (c *identityCard) Services(ctx context.Context, _ int) (kiosk.CardServices, error) {
	s := kiosk.CardServices{Change: way(c.card.CanChange(c.pin)), Unblock: way(c.card.CanUnblock(ctx, c.pin)), Page: c.card.Page()}
	if s.Unblock == kiosk.AtKiosk {
		puk, err := c.card.PUK(ctx, c.pin)
		if err != nil {
			return s, cardError(err)
		}
		s.PUKMin, s.PUKMax = puk.MinLength, puk.MaxLength
	}
	return s, nil
}

// way translates why the driver cannot change or unblock a PIN.
func way(problem error) kiosk.Way {
	switch {
	case problem == nil:
		return kiosk.AtKiosk
	case errors.Is(problem, smartkort.ErrNotPublic):
		return kiosk.OnPage
	}
	return kiosk.NoWay
}

func (c *identityCard) ChangePIN(ctx context.Context, _ int, old, new []byte) error {
	return pinError(c.card.ChangePIN(ctx, c.pin, old, new), c.left)
}

func (c *identityCard) UnblockPIN(ctx context.Context, _ int, puk, new []byte) error {
	return pinError(c.card.UnblockPIN(ctx, c.pin, puk, new), c.left)
}

func (c *identityCard) Close() error { return c.card.Close() }

// cardKey is a card's key whose errors are those that the terminal knows.
type cardKey struct{ crypto.Signer }

// Sign implements crypto.Signer.
func (k cardKey) Sign(rand io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	signature, err := k.Signer.Sign(rand, digest, o)
	return signature, cardError(err)
}

var padResults = map[error]terminal.PadResult{
	slot.ErrPadCancelled: terminal.PadCancelled,
	slot.ErrPadTimeout:   terminal.PadTimedOut,
	slot.ErrPadLength:    terminal.PadMistyped,
	slot.ErrPadRefused:   terminal.PadRefused,
}

// pinError translates the driver's error about a PIN to one that the terminal knows.
// status returns the PIN's status with that many tries left; -1 means unknown.
func pinError(err error, status func(tries int) kiosk.PINStatus) error {
	if wrong := (*smartkort.PINError)(nil); errors.As(err, &wrong) {
		return &terminal.PINError{Status: status(wrong.Tries)}
	}
	for pad, result := range padResults {
		if errors.Is(err, pad) {
			return &terminal.PadError{Result: result, Err: err}
		}
	}
	return cardError(err)
}

// cardError translates the driver's error to one that the terminal knows.
func cardError(err error) error {
	switch {
	case errors.Is(err, slot.ErrNoCard):
		return fmt.Errorf("%w: %w", terminal.ErrNoCard, err)
	case errors.Is(err, smartkort.ErrUnknownCard), errors.Is(err, smartkort.ErrSecureMessaging):
		return &terminal.CardError{Reason: kiosk.CardUnknown, Err: err}
	case errors.Is(err, smartkort.ErrInactive):
		return &terminal.CardError{Reason: kiosk.CardInactive, Err: err}
	case errors.Is(err, smartkort.ErrNextRecipe):
		return &terminal.CardError{Reason: kiosk.CardRetry, Err: err}
	case errors.Is(err, smartkort.ErrTimeout):
		return &terminal.CardError{Reason: kiosk.CardTimeout, Err: err}
	}
	return err
}
