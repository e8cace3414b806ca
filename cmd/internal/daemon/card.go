package daemon

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/terminal"
)

// cardSlot is a slot as the terminal wants it: with the card driver in it.
type cardSlot struct {
	slot   slot.Slot
	driver smartkort.Driver
}

// openCards gives the slot in which cards are spoken to as the configuration
// has it: by our driver, or by a module of their vendor.
func openCards(c config.Reader, s slot.Slot, driver smartkort.Driver) (terminal.Slot, error) {
	cards := cardSlot{s, driver}
	if c.PKCS11 == "" {
		return cards, nil
	}
	return openModule(cards, c.PKCS11, c.Match)
}

func (s cardSlot) Watch(ctx context.Context) <-chan kiosk.Event {
	events := make(chan kiosk.Event)
	go func() {
		defer close(events)
		for e := range s.slot.Watch(ctx) {
			select {
			case events <- slotEvent(e.State):
			case <-ctx.Done():
			}
		}
	}()
	return events
}

// slotEvent gives each insertion the id of a new visit: a UUIDv7, so that
// visits sort by time.
func slotEvent(s slot.State) kiosk.Event {
	switch s {
	case slot.Empty:
		return kiosk.CardGone{}
	case slot.Present:
		return kiosk.CardInserted{Visit: uuid.Must(uuid.NewV7()).String()}
	case slot.Mute:
		return kiosk.CardSilent{Visit: uuid.Must(uuid.NewV7()).String()}
	}
	return kiosk.ReaderGone{}
}

func (s cardSlot) Open(ctx context.Context) (terminal.Card, error) {
	conn, err := s.slot.Connect(ctx)
	if err != nil {
		return nil, cardError(err)
	}
	card, err := s.driver.Open(ctx, conn)
	if err != nil {
		return nil, cardError(errors.Join(err, conn.Close()))
	}
	return &identityCard{card: card}, nil
}

// identityCard is a smartkort.Card as the terminal wants it.
type identityCard struct {
	card         *smartkort.Card
	certificates []smartkort.Certificate
	pin          smartkort.PIN // of the certificate that was asked for
}

// Certificates gives those to authenticate with; others are not read. The
// second time it goes by nothing that is remembered.
func (c *identityCard) Certificates(ctx context.Context) ([][]byte, error) {
	certificates, err := c.card.AuthenticationCertificates(ctx)
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

// left is the status of the PIN with so many tries left; fewer than 0 are not
// known.
func (c *identityCard) left(tries int) kiosk.PINStatus { return c.status(tries, tries >= 0) }

func (c *identityCard) Signer(ctx context.Context, certificate int) (crypto.Signer, error) {
	signer, err := c.card.Signer(ctx, c.certificates[certificate])
	return cardKey{signer}, cardError(err)
}

func (c *identityCard) Close() error { return c.card.Close() }

// cardKey is a card's key that says why it does not sign.
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
}

// pinError says what the terminal cannot know of what came of a PIN; status
// gives that of one with so many tries left, -1 if that is not known.
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

// cardError says what the terminal cannot know of the driver's errors.
func cardError(err error) error {
	switch {
	case errors.Is(err, slot.ErrNoCard):
		return fmt.Errorf("%w: %w", terminal.ErrNoCard, err)
	case errors.Is(err, smartkort.ErrUnknownCard), errors.Is(err, smartkort.ErrSecureMessaging):
		return &terminal.CardError{Reason: kiosk.CardUnknown, Err: err}
	case errors.Is(err, smartkort.ErrInactive):
		return &terminal.CardError{Reason: kiosk.CardInactive, Err: err}
	case errors.Is(err, smartkort.ErrTimeout):
		return &terminal.CardError{Reason: kiosk.CardTimeout, Err: err}
	}
	return err
}
