package terminal

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/cades"
	"smartkiosk/kiosk/protocol/document"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/pades"
	"smartkiosk/kiosk/protocol/trust"
)

// fetched is the document that the holder reads. Only its visit can sign it.
type fetched struct {
	mu      sync.Mutex
	id      string
	content []byte
	signed  time.Time // when the holder signed it
}

// set keeps a document, unless its visit has ended.
func (f *fetched) set(visit context.Context, id string, content []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if visit.Err() == nil {
		f.id, f.content = id, content
	}
}

// get returns the document that is kept under an ID.
func (f *fetched) get(id string) ([]byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.content, f.content != nil && f.id == id
}

// sign notes when the holder signs.
func (f *fetched) sign(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.signed = at
}

func (f *fetched) signedAt() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.signed
}

// forget is called after the context of the visit has ended.
func (f *fetched) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.content)
	f.id, f.content, f.signed = "", nil, time.Time{}
}

// listDocuments carries out a ListDocuments.
func (t *Terminal) listDocuments(ctx context.Context, q kiosk.ListDocuments) {
	t.answers.put(t.askHub(ctx, q.Visit, q.Question, func(ctx context.Context) (kiosk.Event, error) {
		list, err := t.Hub.Documents(ctx, q.Ticket)
		return kiosk.DocumentsListed{Visit: q.Visit, Question: q.Question, Documents: list}, err
	}))
}

// getDocument carries out a GetDocument.
func (t *Terminal) getDocument(visit context.Context, q kiosk.GetDocument) {
	failed := func(why kiosk.Reason) kiosk.Event {
		return kiosk.DocumentFailed{Visit: q.Visit, Question: q.Question, Reason: why}
	}
	t.answers.put(t.askHub(visit, q.Visit, q.Question, func(ctx context.Context) (kiosk.Event, error) {
		content, err := t.Hub.Document(ctx, q.Ticket, q.Document.ID)
		switch problem, answered := errors.AsType[*hubapi.Problem](err); {
		case answered && problem.Status == http.StatusNotFound:
			return failed(kiosk.DocumentGone), nil
		case err != nil:
			return nil, err
		case document.Hash(content) != q.Document.Hash:
			return nil, errors.New("cannot show document: its hash is not the one in the list")
		}
		pages, err := t.layOut(q.Document, content)
		if err != nil {
			t.Log.Warn("document cannot be shown", "visit", q.Visit, "document", q.Document.ID, "err", err)
			return failed(kiosk.DocumentUnshown), nil
		}
		t.fetched.set(visit, q.Document.ID, content)
		return kiosk.DocumentReady{Visit: q.Visit, Question: q.Question, Pages: pages}, nil
	}))
}

// layOut returns the pages of a document for the panel.
func (t *Terminal) layOut(d kiosk.DocumentInfo, content []byte) ([]string, error) {
	if t.Pages == nil {
		return nil, errors.New("the panel shows no documents")
	}
	if err := document.CheckTitle(d.Title); err != nil {
		return nil, err
	}
	if !document.IsText(d.Kind) {
		n, err := pades.Pages(content)
		if err != nil {
			return nil, err
		}
		return t.Pages(fmt.Sprintf("%s\nPDF (%d)\nSHA-256: %s", d.Title, n, document.Hash(content)))
	}
	if err := document.CheckText(content); err != nil {
		return nil, err
	}
	return t.Pages(string(content))
}

// handIn carries out a HandIn.
func (t *Terminal) handIn(ctx context.Context, q kiosk.HandIn) {
	t.answers.put(t.askHub(ctx, q.Visit, q.Question, func(ctx context.Context) (kiosk.Event, error) {
		answer, err := t.Hub.HandIn(ctx, hubapi.SignatureRequest{Ticket: q.Ticket, Document: q.Document.ID, Decision: q.Decision, Signature: q.Signature, Time: t.fetched.signedAt()})
		if err != nil || answer.Accepted {
			return kiosk.HandedIn{Visit: q.Visit, Question: q.Question}, err
		}
		t.Log.Warn("hub refused a signature", "visit", q.Visit, "document", q.Document.ID, "reason", answer.Reason)
		why := kiosk.SignatureRefused
		if answer.Reason == kiosk.DocumentGone {
			why = kiosk.DocumentGone
		}
		return kiosk.DocumentFailed{Visit: q.Visit, Question: q.Question, Reason: why}, nil
	}))
}

// signature is the card's certificate and key for signatures.
type signature struct {
	card   SigningCard // nil until it is prepared
	chosen trust.Choice
}

// prepareSignature chooses the certificate for signatures. It must name the holder of the
// certificate with which the login was made.
func (o *cardOwner) prepareSignature(ctx context.Context, e kiosk.PrepareSignature) (kiosk.Event, error) {
	if o.card == nil {
		return nil, errNoCardHeld
	}
	card := o.card.Signing()
	certificates, err := card.Certificates(ctx)
	if err != nil {
		return nil, err
	}
	chosen, err := o.terminal.Decider.ChooseSignature(certificates)
	switch {
	case err != nil:
		return nil, &CardError{kiosk.NoSignKey, err}
	case chosen.Holder.ID != o.chosen.Holder.ID:
		return nil, &CardError{kiosk.NoSignKey, errors.New("the certificate for signatures names another holder")}
	}
	status, err := card.PINStatus(ctx, chosen.Index)
	if err != nil {
		return nil, err
	}
	o.signature = signature{card, chosen}
	return kiosk.SignatureReady{Visit: e.Visit, PIN: status}, nil
}

// signDocument verifies the PIN and signs the document that was fetched.
func (o *cardOwner) signDocument(ctx context.Context, e kiosk.SignDocument) (kiosk.Event, error) {
	s := o.signature
	err := e.PIN.Use(func(pin []byte) error {
		if o.card == nil || s.card == nil || ctx.Err() != nil {
			return errNoCardHeld
		}
		return s.card.VerifyPIN(ctx, s.chosen.Index, pin)
	})
	if wrong := (*PINError)(nil); errors.As(err, &wrong) {
		return kiosk.PINRejected{Visit: e.Visit, PIN: wrong.Status}, nil
	} else if err != nil {
		return nil, err
	}
	content, ok := o.terminal.fetched.get(e.Document.ID)
	if !ok || document.Hash(content) != e.Document.Hash {
		return nil, &CardError{kiosk.Internal, errors.New("the document to sign is not the one that was fetched")}
	}
	signer, err := s.card.Signer(ctx, s.chosen.Index)
	if err != nil {
		return nil, err
	}
	der, err := o.makeSignature(signer, s.chosen, e.Document.Kind, content)
	if err != nil {
		return nil, err
	}
	return kiosk.DocumentSigned{Visit: e.Visit, Signature: der}, nil
}

func (o *cardOwner) makeSignature(signer crypto.Signer, by trust.Choice, kind kiosk.DocumentKind, content []byte) ([]byte, error) {
	at := o.terminal.Now().Truncate(time.Second)
	o.terminal.fetched.sign(at)
	h, err := cades.Hash(by.Certificate)
	if err != nil {
		return nil, &CardError{kiosk.NoSignKey, err}
	}
	options := cades.Options{Chain: by.Chain[1 : len(by.Chain)-1], Time: at}
	sum := h.New()
	sum.Write(content)
	digest := sum.Sum(nil)
	if kind == kiosk.PDFDocument {
		p, err := pades.Prepare(content, pades.Options{Time: at})
		if err != nil {
			return nil, &CardError{kiosk.Internal, err}
		}
		digest, options.Time = p.Digest(h), time.Time{} // the time is in the document
	}
	return cades.Sign(signer, by.Certificate, digest, options)
}
