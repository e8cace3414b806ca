package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/protocol/webeid"
)

// cardOwner is the only goroutine that talks to the card.
type cardOwner struct {
	terminal *Terminal
	jobs     mailbox[cardJob]

	card   Card // nil while no card is open
	chosen trust.Choice
	der    []byte // the chosen certificate

	signature signature
}

// cardJob is an effect on the card and the context of its visit.
type cardJob struct {
	ctx    context.Context
	effect kiosk.Effect
}

func (o *cardOwner) do(ctx context.Context, e kiosk.Effect) { o.jobs.put(cardJob{ctx, e}) }

// run carries out the jobs until the mailbox ends, then closes the card.
func (o *cardOwner) run() {
	defer o.release()
	for job := range o.jobs.out {
		switch e := job.effect.(type) {
		case kiosk.ReadCard:
			o.answer(job, e.Visit, func() (kiosk.Event, error) { return o.read(job.ctx, e) })
		case kiosk.VerifyPIN:
			o.answer(job, e.Visit, func() (kiosk.Event, error) { return o.verify(job.ctx, e) })
		case kiosk.VerifyOnPad:
			o.answer(job, e.Visit, func() (kiosk.Event, error) { return o.verifyOnPad(job.ctx, e) })
		case kiosk.ChangePIN:
			o.answer(job, e.Visit, func() (kiosk.Event, error) {
				return o.newPIN(job.ctx, e.Visit, e.Old, e.New, Card.ChangePIN)
			})
		case kiosk.UnblockPIN:
			o.answer(job, e.Visit, func() (kiosk.Event, error) {
				return o.newPIN(job.ctx, e.Visit, e.PUK, e.New, Card.UnblockPIN)
			})
		case kiosk.Sign:
			o.answer(job, e.Visit, func() (kiosk.Event, error) { return o.sign(job.ctx, e) })
		case kiosk.PrepareSignature:
			o.answer(job, e.Visit, func() (kiosk.Event, error) { return o.prepareSignature(job.ctx, e) })
		case kiosk.SignDocument:
			o.answer(job, e.Visit, func() (kiosk.Event, error) { return o.signDocument(job.ctx, e) })
		case kiosk.Release:
			o.release()
		}
	}
}

// answer puts the result of an effect into the mailbox. An error becomes CardFailed.
func (o *cardOwner) answer(job cardJob, visit string, work func() (kiosk.Event, error)) {
	e, err := work()
	if errors.Is(err, ErrNoCard) {
		awaitSlot(job.ctx)
	}
	if err != nil {
		reason := kiosk.CardUnreadable
		if failed := (*CardError)(nil); errors.As(err, &failed) {
			reason = failed.Reason
		}
		if job.ctx.Err() == nil { // otherwise the end of the visit caused the error
			o.terminal.Log.Warn("card failed", "visit", visit, "reason", reason, "err", err)
		}
		e = kiosk.CardFailed{Visit: visit, Reason: reason}
	}
	o.terminal.answers.put(e)
}

// slotTells is how long the slot may take to report a card or a reader that a
// command found missing.
const slotTells = 2 * time.Second

// awaitSlot gives the slot the time to end the visit. A card that was taken out
// during a command is then recorded as taken out, and not as unreadable.
func awaitSlot(visit context.Context) {
	select {
	case <-visit.Done():
	case <-time.After(slotTells):
	}
}

// read opens the card and chooses the certificate for authentication. No card is
// open, because the machine releases one card before it reads the next.
func (o *cardOwner) read(ctx context.Context, e kiosk.ReadCard) (kiosk.Event, error) {
	card, err := o.terminal.Slot.Open(ctx, e.Visit)
	if err != nil {
		return nil, err
	}
	o.card = card
	certificates, choice, err := o.choose(ctx)
	if refusal := (*trust.Refusal)(nil); errors.As(err, &refusal) {
		o.terminal.Log.Info("card refused", "visit", e.Visit, "err", err)
		return kiosk.CardRefused{Visit: e.Visit, Reason: refusal.Reason}, nil
	} else if err != nil {
		return nil, err
	}
	status, err := card.PINStatus(ctx, choice.Index)
	if err != nil {
		return nil, err
	}
	services, err := card.Services(ctx, choice.Index)
	if err != nil {
		return nil, err
	}
	o.chosen, o.der = choice, certificates[choice.Index]
	return kiosk.CardRead{Visit: e.Visit, Holder: choice.Holder, PIN: status, Services: services}, nil
}

// choose chooses one of the card's certificates. Slow steps come only when they can
// help: if no cached certificate is acceptable, the card may have others by now. If
// their issuer is unknown, the card may hold the issuer's certificate.
func (o *cardOwner) choose(ctx context.Context) (certificates [][]byte, choice trust.Choice, err error) {
	if certificates, err = o.card.Certificates(ctx); err != nil {
		return nil, choice, err
	}
	choice, err = o.chooseFrom(certificates)
	if _, refused := errors.AsType[*trust.Refusal](err); !refused {
		return certificates, choice, err
	}
	again, unread := o.card.Certificates(ctx)
	if unread != nil {
		return nil, choice, unread
	}
	if !slices.EqualFunc(certificates, again, bytes.Equal) {
		certificates = again
		choice, err = o.chooseFrom(certificates)
	}
	if refusal, refused := errors.AsType[*trust.Refusal](err); !refused || refusal.Reason != kiosk.NotTrusted {
		return certificates, choice, err
	}
	authorities, unread := o.card.Authorities(ctx)
	if unread == nil {
		choice, err = o.chooseFrom(certificates, authorities...)
	}
	return certificates, choice, err
}

// chooseFrom calls Decider.Choose. Errors: *trust.Refusal, *CardError.
func (o *cardOwner) chooseFrom(certificates [][]byte, authorities ...[]byte) (trust.Choice, error) {
	choice, err := o.terminal.Decider.Choose(certificates, authorities...)
	if _, refused := errors.AsType[*trust.Refusal](err); err != nil && !refused {
		err = &CardError{kiosk.Internal, err}
	}
	return choice, err
}

var errNoCardHeld = errors.New("cannot use card: it has been closed")

func (o *cardOwner) verify(ctx context.Context, e kiosk.VerifyPIN) (kiosk.Event, error) {
	err := e.PIN.Use(func(pin []byte) error {
		if o.card == nil || ctx.Err() != nil {
			return errNoCardHeld
		}
		return o.card.VerifyPIN(ctx, o.chosen.Index, pin)
	})
	return verified(e.Visit, err)
}

func (o *cardOwner) verifyOnPad(ctx context.Context, e kiosk.VerifyOnPad) (kiosk.Event, error) {
	if o.card == nil || ctx.Err() != nil {
		return nil, errNoCardHeld
	}
	err := o.card.VerifyPINOnPad(ctx, o.chosen.Index)
	if pad := (*PadError)(nil); errors.As(err, &pad) {
		switch pad.Result {
		case PadCancelled:
			return kiosk.PadCancelled(e), nil
		case PadTimedOut:
			return kiosk.PadTimedOut(e), nil
		case PadMistyped:
			return kiosk.PadMistyped(e), nil
		case PadRefused:
			return kiosk.PadRefused(e), nil
		}
	}
	return verified(e.Visit, err)
}

// verified turns the result of a verification into an event.
func verified(visit string, err error) (kiosk.Event, error) {
	if wrong := (*PINError)(nil); errors.As(err, &wrong) {
		return kiosk.PINRejected{Visit: visit, PIN: wrong.Status}, nil
	} else if err != nil {
		return nil, err
	}
	return kiosk.PINAccepted{Visit: visit}, nil
}

// newPIN changes or unblocks the PIN with what the holder typed, and wipes that.
func (o *cardOwner) newPIN(ctx context.Context, visit string, proof, fresh kiosk.PIN,
	set func(c Card, ctx context.Context, certificate int, proof, fresh []byte) error) (kiosk.Event, error) {
	err := proof.Use(func(proof []byte) error {
		return fresh.Use(func(fresh []byte) error {
			if o.card == nil || ctx.Err() != nil {
				return errNoCardHeld
			}
			return set(o.card, ctx, o.chosen.Index, proof, fresh)
		})
	})
	if wrong := (*PINError)(nil); errors.As(err, &wrong) {
		return kiosk.PINRejected{Visit: visit, PIN: wrong.Status}, nil
	} else if err != nil {
		return nil, err
	}
	return kiosk.PINChanged{Visit: visit}, nil
}

func (o *cardOwner) sign(ctx context.Context, e kiosk.Sign) (kiosk.Event, error) {
	if o.card == nil {
		return nil, errNoCardHeld
	}
	nonce := e.Nonce
	if nonce == "" { // no hub was reached
		nonce = ownNonce()
		prepared := make(chan struct{})
		go func(h kiosk.Holder) {
			defer close(prepared)
			o.terminal.Decider.Prepare(h)
		}(o.chosen.Holder)
		defer func() { <-prepared }()
	}
	signer, err := o.card.Signer(ctx, o.chosen.Index)
	if err != nil {
		return nil, err
	}
	token, err := webeid.Sign(signer, o.der, o.terminal.Origin, nonce)
	if err != nil {
		return nil, fmt.Errorf("cannot make a token: %w", err)
	}
	return kiosk.Signed{Visit: e.Visit, Nonce: nonce, Token: token}, nil
}

// release closes the card, which resets it, and wipes what was read from it.
func (o *cardOwner) release() {
	if o.card != nil {
		if err := o.card.Close(); err != nil {
			o.terminal.Log.Warn("cannot close card", "err", err)
		}
	}
	o.card, o.chosen, o.der, o.signature = nil, trust.Choice{}, nil, signature{}
	o.terminal.clearStack()
}
