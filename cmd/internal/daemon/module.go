//go:build pkcs11

package daemon

import (
	"context"
	"crypto"
	"errors"
	"fmt"

	"smartkiosk/device/pkcs11card"
	"smartkiosk/device/slot"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/terminal"
)

// moduleSlot is a slot whose cards are accessed through a PKCS #11 module. Insertion
// and removal are still reported by the reader.
type moduleSlot struct {
	cardSlot
	module *pkcs11card.Module
	match  string // a part of the reader's name
}

// openModule loads the PKCS #11 module at path, which replaces the card driver. match
// is a part of the reader's name.
func openModule(s cardSlot, path, match string) (terminal.Slot, error) {
	module, err := pkcs11card.Load(path)
	if err != nil {
		return nil, err
	}
	return moduleSlot{s, module, match}, nil
}

func (s moduleSlot) Open(_ context.Context, visit string) (terminal.Card, error) {
	reader, err := s.latest.readerOf(visit)
	if err != nil {
		return nil, err
	}
	card, err := s.module.Open(s.match)
	if err != nil {
		return nil, cardError(err)
	}
	return &moduleCard{card: card, slot: s.slot, reader: reader}, nil
}

// moduleCard adapts a pkcs11card.Card to terminal.Card.
type moduleCard struct {
	card         *pkcs11card.Card
	slot         slot.Slot
	reader       string
	certificates []pkcs11card.Certificate
	pin          pkcs11card.PIN // of the certificate in the last call of PINStatus
}

func (c *moduleCard) Certificates(ctx context.Context) ([][]byte, error) {
	certificates, err := c.card.Certificates(ctx)
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

// Authorities returns nothing: only the holder's certificates are read through a
// module.
func (c *moduleCard) Authorities(context.Context) ([][]byte, error) { return nil, nil }

func (c *moduleCard) PINStatus(ctx context.Context, certificate int) (kiosk.PINStatus, error) {
	var err error
	if c.pin, err = c.card.PIN(ctx, c.certificates[certificate]); err != nil {
		return kiosk.PINStatus{}, cardError(err)
	}
	return c.status(c.pin.Tries), nil
}

func (c *moduleCard) status(tries int) kiosk.PINStatus {
	return kiosk.PINStatus{
		Min: c.pin.MinLength, Max: c.pin.MaxLength, Tries: max(tries, 0), TriesKnown: tries >= 0, OnReader: c.pin.OnReader,
	}
}

func (c *moduleCard) VerifyPIN(ctx context.Context, certificate int, pin []byte) error {
	return pinError(c.card.VerifyPIN(ctx, c.certificates[certificate], pin), c.status)
}

func (c *moduleCard) VerifyPINOnPad(ctx context.Context, certificate int) error {
	return pinError(c.card.VerifyPINOnPad(ctx, c.certificates[certificate]), c.status)
}

func (c *moduleCard) Signer(ctx context.Context, certificate int) (crypto.Signer, error) {
	signer, err := c.card.Signer(ctx, c.certificates[certificate])
	return cardKey{signer}, cardError(err)
}

// Services offers none: the module is used for the login only.
func (c *moduleCard) Services(context.Context, int) (kiosk.CardServices, error) {
	return kiosk.CardServices{}, nil
}

func (c *moduleCard) ChangePIN(context.Context, int, []byte, []byte) error { return errModule }

func (c *moduleCard) UnblockPIN(context.Context, int, []byte, []byte) error { return errModule }

var errModule = errors.New("cannot change the PIN of a card that is accessed through a PKCS #11 module")

// Signing implements terminal.Card.
func (c *moduleCard) Signing() terminal.SigningCard { return moduleSigning{} }

// moduleSigning has no certificates: the module is used for the login only.
type moduleSigning struct{ terminal.SigningCard }

func (moduleSigning) Certificates(context.Context) ([][]byte, error) { return nil, nil }

// Close closes the card and makes the reader reset it. The reset is necessary because a
// module may leave the PIN verified, and no verified PIN may outlive the visit.
func (c *moduleCard) Close() error {
	err := c.card.Close()
	// The visit's context has ended by now.
	conn, gone := slot.ConnectTo(context.Background(), c.slot, c.reader)
	switch {
	case gone == nil:
		err = errors.Join(err, conn.Close())
	case !errors.Is(gone, slot.ErrNoCard):
		err = errors.Join(err, fmt.Errorf("cannot reset card: %w", gone))
	}
	return err
}
