package hub

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/docstore"
	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/cades"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/pades"
	"smartkiosk/kiosk/protocol/trust"
)

const (
	documentsBucket = "smartkiosk-documents"
	documentFiles   = "smartkiosk-document-files"

	signaturesSubject = "smartkiosk.signatures." // + the kiosk's ID

	// ticketLife is how long a ticket is valid: longer than a visit.
	ticketLife = time.Hour
	// ticketLimit is the maximum length of a ticket that the hub reads.
	ticketLimit = 2048

	// signingSkew is how far the time that a signature claims may be from the hub's time.
	signingSkew = 30 * time.Minute

	contentTime = 30 * time.Second // to read a document of the largest size
)

// documents are the hub's documents and the tickets for them.
type documents struct {
	*docstore.Store
	tickets []byte // key
}

// openDocuments opens what documents are stored in, or creates it.
func openDocuments(ctx context.Context, js jetstream.JetStream, sign jose.JSONWebKey, now func() time.Time) (d documents, err error) {
	private, ok := sign.Key.(*ecdsa.PrivateKey)
	if !ok {
		return d, fmt.Errorf("cannot make a key for documents: the signing key is a %T", sign.Key)
	}
	secret, err := private.Bytes()
	if err != nil {
		return d, fmt.Errorf("cannot make a key for documents: %w", err)
	}
	defer clear(secret)
	if d.tickets, err = hkdf.Key(sha256.New, secret, nil, "smartkiosk tickets", sha256.Size); err != nil {
		return d, err
	}
	contents, err := hkdf.Key(sha256.New, secret, nil, "smartkiosk documents", sha256.Size)
	if err != nil {
		return d, err
	}
	bucket, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: documentsBucket, Storage: jetstream.FileStorage, TTL: docstore.Memory})
	if err != nil {
		return d, err
	}
	files, err := js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: documentFiles, Storage: jetstream.FileStorage, TTL: docstore.Memory})
	if err != nil {
		return d, err
	}
	d.Store, err = docstore.New(bucket, files, contents, now)
	return d, err
}

func (h *Hub) attachDocuments(ctx context.Context) (err error) {
	h.documents, err = openDocuments(ctx, h.js, h.config.Sign, h.now)
	return err
}

// ticket is what a verdict entitles a kiosk to: the documents of the holder whom the card
// has proven, during one visit.
type ticket struct {
	Kiosk  string       `json:"kiosk"`
	Visit  string       `json:"visit"`
	Holder kiosk.Holder `json:"holder"`
	Until  time.Time    `json:"until"`
}

// issue returns a ticket as text, which only hubs can make.
func (d documents) issue(t ticket) (string, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(text) + "." + base64.RawURLEncoding.EncodeToString(d.mac(text)), nil
}

func (d documents) mac(text []byte) []byte {
	mac := hmac.New(sha256.New, d.tickets)
	mac.Write(text)
	return mac.Sum(nil)
}

// admit returns the ticket that a kiosk presents. The error is a problem.
func (d documents) admit(text, kioskID string, now time.Time) (t ticket, err error) {
	refused := apihttp.Problem(http.StatusForbidden, hubapi.KindForbidden, "forbidden", "the ticket is not one of this kiosk's visit")
	if len(text) > ticketLimit {
		return t, refused
	}
	body, mac, _ := strings.Cut(text, ".")
	plain, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil {
		return t, refused
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(mac)
	if err != nil || !hmac.Equal(sum, d.mac(plain)) || json.Unmarshal(plain, &t) != nil {
		return t, refused
	}
	if t.Kiosk != kioskID || !now.Before(t.Until) {
		return t, refused
	}
	return t, nil
}

// ticketFor returns the ticket for a holder who is let in at a kiosk, or "" if no document
// waits, or the kiosk's rules do not offer documents. A store that fails hides the documents
// and does not keep the holder out.
func (h *Hub) ticketFor(ctx context.Context, kioskID, visit string, holder kiosk.Holder) string {
	if !h.rules.Rules().Services(kioskID).Documents {
		return ""
	}
	waiting, err := h.documents.Waiting(ctx, holder)
	if err != nil {
		h.log.Warn("cannot look for documents", "kiosk", kioskID, "visit", visit, "err", err)
	}
	if len(waiting) == 0 {
		return ""
	}
	text, err := h.documents.issue(ticket{kioskID, visit, holder, h.now().Add(ticketLife).UTC()})
	if err != nil {
		h.log.Warn("cannot look for documents", "kiosk", kioskID, "visit", visit, "err", err)
		return ""
	}
	return text
}

// listDocuments handles POST /v1/documents.
func (h *Hub) listDocuments(w http.ResponseWriter, r *http.Request, c caller) error {
	var in hubapi.DocumentsRequest
	if err := apihttp.ReadJSON(r, map[string]any{"ticket": &in.Ticket}); err != nil {
		return err
	}
	t, err := h.documents.admit(in.Ticket, c.Name, h.now())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	waiting, err := h.documents.Waiting(ctx, t.Holder)
	if err != nil {
		return storeError{err}
	}
	out := hubapi.Documents{Documents: []hubapi.WaitingDocument{}}
	for _, d := range waiting {
		out.Documents = append(out.Documents, hubapi.WaitingDocument{ID: d.ID, Title: d.Title, Kind: d.Kind, Size: d.Size, Hash: d.Hash, Expires: d.Expires})
	}
	return apihttp.WriteJSON(w, http.StatusOK, out)
}

// documentContent handles POST /v1/documents/content.
func (h *Hub) documentContent(w http.ResponseWriter, r *http.Request, c caller) error {
	var in hubapi.ContentRequest
	if err := apihttp.ReadJSON(r, map[string]any{"ticket": &in.Ticket, "document": &in.Document}); err != nil {
		return err
	}
	t, err := h.documents.admit(in.Ticket, c.Name, h.now())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), contentTime)
	defer cancel()
	d, err := h.documents.Of(ctx, in.Document, t.Holder)
	if err == nil && !d.Waits(h.now()) {
		err = docstore.ErrUnknown
	}
	if err != nil {
		return documentProblem(err)
	}
	content, err := h.documents.Content(ctx, d.ID)
	if err != nil {
		return documentProblem(err)
	}
	apihttp.Write(w, http.StatusOK, "application/octet-stream", content)
	return nil
}

// documentProblem returns the problem for an error of the package docstore.
func documentProblem(err error) error {
	if errors.Is(err, docstore.ErrUnknown) {
		return apihttp.Problem(http.StatusNotFound, hubapi.KindNotFound, "not found", "no such document waits for the holder")
	}
	return storeError{err}
}

// takeSignature handles POST /v1/signatures.
func (h *Hub) takeSignature(w http.ResponseWriter, r *http.Request, c caller) error {
	var in hubapi.SignatureRequest
	if err := apihttp.ReadJSON(r, map[string]any{"ticket": &in.Ticket, "document": &in.Document, "decision": &in.Decision, "signature": &in.Signature, "time": &in.Time}); err != nil {
		return err
	}
	signed := in.Decision == kiosk.DecisionSigned
	if !signed && in.Decision != kiosk.DecisionRefused || signed != (len(in.Signature) > 0) {
		return apihttp.Malformed("decision must be signed, with a signature, or refused, without one")
	}
	t, err := h.documents.admit(in.Ticket, c.Name, h.now())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), contentTime)
	defer cancel()
	reason, err := h.decide(ctx, t, in)
	if err != nil {
		return err
	}
	return apihttp.WriteJSON(w, http.StatusOK, hubapi.SignatureAnswer{Accepted: reason == "", Reason: reason})
}

// decide checks a decision, stores it, and reports it in the feed. It returns the reason why
// it does not accept it.
func (h *Hub) decide(ctx context.Context, t ticket, in hubapi.SignatureRequest) (kiosk.Reason, error) {
	log := h.log.With("kiosk", t.Kiosk, "visit", t.Visit, "document", in.Document)
	d, err := h.documents.Of(ctx, in.Document, t.Holder)
	if errors.Is(err, docstore.ErrUnknown) {
		return kiosk.DocumentGone, nil
	}
	if err != nil {
		return "", storeError{err}
	}
	if in.Decision == kiosk.DecisionSigned {
		err := h.checkSignature(ctx, d, t.Holder, in.Signature, in.Time)
		if refusal, ok := errors.AsType[*trust.Refusal](err); ok {
			log.Warn("signature refused", "reason", refusal.Reason, "err", refusal.Err)
			return refusal.Reason, nil
		}
		if err != nil {
			return "", err
		}
	}
	d, err = h.documents.Decide(ctx, docstore.Record{
		DocumentInfo: kiosk.DocumentInfo{ID: d.ID}, Decision: in.Decision, Kiosk: t.Kiosk, Visit: t.Visit, Signature: in.Signature, SignedAt: in.Time.UTC(),
	})
	switch {
	case errors.Is(err, docstore.ErrUnknown), errors.Is(err, docstore.ErrDecided):
		return kiosk.DocumentGone, nil
	case err != nil:
		return "", storeError{err}
	}
	log.Info("document decided", "decision", in.Decision)
	return "", h.reportDecision(ctx, d, t.Holder)
}

// checkSignature checks a signature: the bytes, the certificate, that it names the holder,
// and its revocation. The error is a *trust.Refusal if the signature is not accepted.
func (h *Hub) checkSignature(ctx context.Context, d docstore.Record, holder kiosk.Holder, der []byte, at time.Time) error {
	content, err := h.documents.Content(ctx, d.ID)
	if err != nil {
		return documentProblem(err)
	}
	digest := func(hash crypto.Hash) []byte {
		sum := hash.New()
		sum.Write(content)
		return sum.Sum(nil)
	}
	if d.Kind == kiosk.PDFDocument {
		p, err := pades.Prepare(content, pades.Options{Time: at})
		if err != nil {
			return err
		}
		digest = p.Digest
	}
	s, err := cades.Check(der, digest)
	if err != nil {
		return trust.Refuse(kiosk.Signature, "%w", err)
	}
	now := h.now()
	if d.Kind == kiosk.PDFDocument != s.Time.IsZero() { // PAdES has the time in the document (EN 319 142-1 §6.3)
		return trust.Refuse(kiosk.SigningTime, "the signature of a PDF has a time, or that of a text has none")
	}
	if d.Kind != kiosk.PDFDocument {
		at = s.Time
	}
	if skew := now.Sub(at).Abs(); skew > signingSkew {
		return trust.Refuse(kiosk.SigningTime, "the signature says %s", at.UTC().Format(time.RFC3339))
	}
	signer, checkRevocation, err := h.config.Trust.Signer(s.Certificate, now)
	if err != nil {
		return err
	}
	if signer.ID != holder.ID {
		return trust.Refuse(kiosk.OtherHolder, "the certificate names another holder than the visit's")
	}
	checking, cancel := context.WithTimeout(ctx, hubapi.VerdictWithin)
	defer cancel()
	return checkRevocation(checking, now)
}

// reportDecision stores the event. A decision that is handed in again may be reported twice.
func (h *Hub) reportDecision(ctx context.Context, d docstore.Record, holder kiosk.Holder) error {
	id, err := event.NewID(h.now(), h.rand)
	if err != nil {
		return err
	}
	text, err := event.ByTheHub(id, event.TypeSignature, h.now(), event.Signature{
		Kiosk: d.Kiosk, Visit: d.Visit, Document: d.ID, Kind: d.Kind, Hash: d.Hash, Decision: d.Decision, Holder: &holder, Signature: d.Signature,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if _, err := h.js.Publish(ctx, signaturesSubject+d.Kiosk, text, jetstream.WithMsgID("signature "+d.ID)); err != nil {
		return storeError{err}
	}
	return nil
}

// signatureOf handles GET /v1/signatures/{document}.
func (h *Hub) signatureOf(w http.ResponseWriter, r *http.Request, _ caller) error {
	id := r.PathValue("document")
	if utf8.RuneCountInString(id) > maxText {
		return documentProblem(docstore.ErrUnknown)
	}
	ctx, cancel := context.WithTimeout(r.Context(), contentTime)
	defer cancel()
	media, signed, err := h.documents.signed(ctx, id)
	if err != nil {
		return documentProblem(err)
	}
	apihttp.Write(w, http.StatusOK, media, signed)
	return nil
}

// signed returns what a holder has signed: the signature of a text, or the signed PDF. Error:
// docstore.ErrUnknown, also if the document is not signed.
func (d documents) signed(ctx context.Context, id string) (media string, content []byte, err error) {
	r, err := d.Get(ctx, id)
	if err == nil && r.Decision != kiosk.DecisionSigned {
		err = docstore.ErrUnknown
	}
	if err != nil || r.Kind != kiosk.PDFDocument {
		return "application/pkcs7-signature", r.Signature, err
	}
	original, err := d.Content(ctx, id)
	if err != nil {
		return "", nil, err
	}
	p, err := pades.Prepare(original, pades.Options{Time: r.SignedAt})
	if err != nil {
		return "", nil, err
	}
	content, err = p.Signed(r.Signature)
	return "application/pdf", content, err
}
