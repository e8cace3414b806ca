package hub

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/docstore"
	"smartkiosk/kiosk/protocol/cades"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/pades"
)

const offerDocuments = "default = \"allow\"\n[[services]]\ndocuments = true\n"

var letter = []byte("I order two boxes of pens.\n\nUntil the first of May.")

// addText gives a document for the holder of a test card to a hub.
func addText(t *testing.T, h *Hub, card string, text []byte) docstore.Record {
	t.Helper()
	r, err := h.documents.add(t.Context(), NewDocument{
		Holder: cards(t).Holders[card].Person.ID, Title: "Order", Kind: kiosk.TextDocument, Content: text, Life: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ticketOf logs a test card in and returns the ticket of the verdict.
func (p *party) ticketOf(card string) string {
	p.t.Helper()
	nonce := p.nonce()
	v := p.verdict(p.t.Context(), nonce, token(p.t, card, nonce))
	if !v.Granted {
		p.t.Fatalf("%s: %+v", card, v)
	}
	return v.Documents
}

// signText makes the signature of a text.
func signText(t *testing.T, by testpki.Credential, text []byte, at time.Time) []byte {
	t.Helper()
	sum := crypto.SHA256.New()
	sum.Write(text)
	der, err := cades.Sign(by.Key, by.Certificate, sum.Sum(nil), cades.Options{Time: at, Chain: []*x509.Certificate{cards(t).PersonCA}})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestDocument signs a document from its ticket to its event, and lets openssl verify what
// the consumer gets.
func TestDocument(t *testing.T) {
	b := newBed(t)
	b.rule(offerDocuments)
	h := b.open()
	k1, office := b.kiosk(b.serve(), "k1"), b.consumer(b.serve(), "office")
	if ticket := k1.ticketOf("valid"); ticket != "" {
		t.Error("there is a ticket, although no document waits")
	}
	d := addText(t, h, "valid", letter)
	ticket := k1.ticketOf("valid")
	list, err := k1.Documents(t.Context(), ticket)
	if err != nil || len(list) != 1 || list[0] != d.DocumentInfo {
		t.Fatalf("the list is %+v, %v; want %+v", list, err, d.DocumentInfo)
	}
	content, err := k1.Document(t.Context(), ticket, d.ID)
	if err != nil || !bytes.Equal(content, letter) {
		t.Fatalf("the document is %q, %v", content, err)
	}
	signature := signText(t, cards(t).Holders["valid"].Signature, content, time.Now())
	in := hubapi.SignatureRequest{Ticket: ticket, Document: d.ID, Decision: kiosk.DecisionSigned, Signature: signature}
	for range 2 { // the second time as if the answer had been lost
		if answer, err := k1.HandIn(t.Context(), in); err != nil || !answer.Accepted {
			t.Fatalf("handed in: %+v, %v", answer, err)
		}
	}
	refused := hubapi.SignatureRequest{Ticket: ticket, Document: d.ID, Decision: kiosk.DecisionRefused}
	if answer, err := k1.HandIn(t.Context(), refused); err != nil || answer.Accepted || answer.Reason != kiosk.DocumentGone {
		t.Errorf("refused after it was signed: %+v, %v", answer, err)
	}
	if list, err := k1.Documents(t.Context(), ticket); err != nil || len(list) != 0 {
		t.Errorf("after the signature %+v waits, %v", list, err)
	}

	got := office.signatures(1)[0]
	if got.Document != d.ID || got.Hash != d.Hash || got.Kiosk != "k1" || got.Visit != "visit-1" || got.Decision != kiosk.DecisionSigned ||
		got.Holder == nil || got.Holder.ID != d.Holder || !bytes.Equal(got.Signature, signature) {
		t.Errorf("the event is %+v", got)
	}
	fetched, err := office.Signature(t.Context(), d.ID)
	if err != nil || !bytes.Equal(fetched, signature) {
		t.Fatalf("the signature cannot be fetched: %v", err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{"sig": fetched, "doc": letter, "other": append(bytes.Clone(letter), '!')} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := cards(t).Write(filepath.Join(dir, "pki")); err != nil {
		t.Fatal(err)
	}
	verify := func(document string) ([]byte, error) {
		return exec.Command("openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", filepath.Join(dir, "sig"),
			"-content", filepath.Join(dir, document), "-purpose", "any", "-CAfile", filepath.Join(dir, "pki", "root.pem")).CombinedOutput()
	}
	if out, err := verify("doc"); err != nil {
		t.Errorf("openssl refuses it: %v\n%s", err, out)
	}
	if out, err := verify("other"); err == nil {
		t.Errorf("openssl accepts another document: %s", out)
	}
}

// signatures pulls a consumer's feed until it has n decisions.
func (p *party) signatures(n int) (all []event.Signature) {
	p.t.Helper()
	for len(all) < n {
		batch, cursor, err := p.Feed(p.t.Context(), p.id, 100, 20*time.Second)
		if err != nil || len(batch) == 0 {
			p.t.Fatalf("%d of %d decisions: %v", len(all), n, err)
		}
		for _, text := range batch {
			var e struct {
				Type string
				Data event.Signature
			}
			if err := json.Unmarshal(text, &e); err == nil && e.Type == event.TypeSignature {
				all = append(all, e.Data)
			}
		}
		p.ack(cursor)
	}
	return all
}

// TestRefusedDocument hands in that the holder refuses, at another hub than the one that gave
// the ticket.
func TestRefusedDocument(t *testing.T) {
	b := newBed(t)
	b.rule(offerDocuments)
	h := b.open()
	k1, office := b.kiosk(b.serve(), "k1"), b.consumer(b.serve(), "office")
	d := addText(t, h, "valid", letter)
	ticket := k1.ticketOf("valid")
	answer, err := k1.to(b.serve()).HandIn(t.Context(), hubapi.SignatureRequest{Ticket: ticket, Document: d.ID, Decision: kiosk.DecisionRefused})
	if err != nil || !answer.Accepted {
		t.Fatalf("%+v, %v", answer, err)
	}
	if got := office.signatures(1)[0]; got.Decision != kiosk.DecisionRefused || got.Signature != nil || got.Hash != d.Hash {
		t.Errorf("the event is %+v", got)
	}
	var problem *hubapi.Problem
	if _, err := office.Signature(t.Context(), d.ID); !errors.As(err, &problem) || problem.Status != 404 {
		t.Errorf("the signature of a refused document: %v", err)
	}
	late := hubapi.SignatureRequest{Ticket: ticket, Document: d.ID, Decision: kiosk.DecisionSigned, Signature: signText(t, cards(t).Holders["valid"].Signature, letter, time.Now())}
	if answer, err := k1.HandIn(t.Context(), late); err != nil || answer.Reason != kiosk.DocumentGone {
		t.Errorf("signed after it was refused: %+v, %v", answer, err)
	}
}

// TestSignatureRefused has the reason for each signature that the hub does not accept.
func TestSignatureRefused(t *testing.T) {
	b := newBed(t)
	b.rule(offerDocuments)
	h := b.open()
	k1 := b.kiosk(b.serve(), "k1")
	d := addText(t, h, "valid", letter)
	ticket := k1.ticketOf("valid")
	people, now := cards(t).Holders, time.Now()
	good := signText(t, people["valid"].Signature, letter, now)
	altered := bytes.Clone(good)
	altered[len(altered)-5] ^= 1
	for name, c := range map[string]struct {
		signature []byte
		want      kiosk.Reason
	}{
		"another document":             {signText(t, people["valid"].Signature, append(bytes.Clone(letter), ' '), now), kiosk.Signature},
		"altered signature":            {altered, kiosk.Signature},
		"not a signature":              {[]byte("hello"), kiosk.Signature},
		"the certificate of the login": {signText(t, people["valid"].Authentication, letter, now), kiosk.Purpose},
		"another person":               {signText(t, people["expired"].Signature, letter, now), kiosk.OtherHolder},
		"a revoked certificate":        {signText(t, people["revoked"].Signature, letter, now), kiosk.OtherHolder},
		"a foreign issuer":             {signText(t, people["foreign"].Signature, letter, now), kiosk.NotTrusted},
		"a key that is not on a card":  {signText(t, people["hsm"].Signature, letter, now), kiosk.Policy},
		"signed an hour ago":           {signText(t, people["valid"].Signature, letter, now.Add(-time.Hour)), kiosk.SigningTime},
		"signed at a time to come":     {signText(t, people["valid"].Signature, letter, now.Add(time.Hour)), kiosk.SigningTime},
		"without the time of signing":  {signText(t, people["valid"].Signature, letter, time.Time{}), kiosk.SigningTime},
	} {
		answer, err := k1.HandIn(t.Context(), hubapi.SignatureRequest{Ticket: ticket, Document: d.ID, Decision: kiosk.DecisionSigned, Signature: c.signature})
		if err != nil || answer.Accepted || answer.Reason != c.want {
			t.Errorf("%s: %+v, %v; want %s", name, answer, err, c.want)
		}
	}
	if answer, err := k1.HandIn(t.Context(), hubapi.SignatureRequest{Ticket: ticket, Document: d.ID, Decision: kiosk.DecisionSigned, Signature: good}); err != nil || !answer.Accepted {
		t.Errorf("the document cannot be signed after refused attempts: %+v, %v", answer, err)
	}
}

// TestExpiredSigner lets a certificate expire between login and signature, by the hub's clock.
func TestExpiredSigner(t *testing.T) {
	b := newBed(t)
	h := b.open()
	d := addText(t, h, "valid", letter)
	holder := kiosk.Holder{ID: d.Holder}
	signer := cards(t).Holders["valid"].Signature
	b.advance(time.Until(signer.Certificate.NotAfter) + 24*time.Hour)
	err := h.checkSignature(t.Context(), d, holder, signText(t, signer, letter, b.now()), b.now())
	if err == nil || !strings.HasPrefix(err.Error(), string(kiosk.Expired)+": ") {
		t.Errorf("an expired certificate: %v", err)
	}
	revoked := cards(t).Holders["revoked"]
	own := addText(t, b.open(), "revoked", letter)
	b.advance(-b.ahead)
	err = h.checkSignature(t.Context(), own, kiosk.Holder{ID: own.Holder}, signText(t, revoked.Signature, letter, b.now()), b.now())
	if err == nil || !strings.HasPrefix(err.Error(), string(kiosk.Revoked)+": ") {
		t.Errorf("a revoked certificate: %v", err)
	}
}

// TestTickets checks that a kiosk sees the documents of a holder only with the ticket of a
// visit of that holder there, and only while the ticket is valid.
func TestTickets(t *testing.T) {
	b := newBed(t)
	b.rule(offerDocuments)
	h := b.open()
	url := b.serve()
	k1, k2 := b.kiosk(url, "k1"), b.kiosk(url, "k2")
	d := addText(t, h, "valid", letter)
	of := addText(t, h, "blocked", []byte("for somebody else"))
	ticket, other := k1.ticketOf("valid"), k1.ticketOf("blocked")
	forbidden := func(what string, p *party, ticket string) {
		t.Helper()
		var problem *hubapi.Problem
		_, listed := p.Documents(t.Context(), ticket)
		_, read := p.Document(t.Context(), ticket, d.ID)
		_, handedIn := p.HandIn(t.Context(), hubapi.SignatureRequest{Ticket: ticket, Document: d.ID, Decision: kiosk.DecisionRefused})
		for _, err := range []error{listed, read, handedIn} {
			if !errors.As(err, &problem) || problem.Type != hubapi.KindForbidden {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	forbidden("no ticket", k1, "")
	forbidden("an invented ticket", k1, "e30.e30")
	forbidden("an altered ticket", k1, "A"+ticket[1:])
	forbidden("another kiosk's ticket", k2, ticket)
	forbidden("a long ticket", k1, strings.Repeat("A", 3000))
	if list, err := k1.Documents(t.Context(), other); err != nil || len(list) != 1 || list[0].ID != of.ID {
		t.Errorf("the other holder has %+v, %v", list, err)
	}
	var problem *hubapi.Problem
	if _, err := k1.Document(t.Context(), other, d.ID); !errors.As(err, &problem) || problem.Status != 404 {
		t.Errorf("with the ticket of another holder: %v", err)
	}
	if answer, err := k1.HandIn(t.Context(), hubapi.SignatureRequest{Ticket: other, Document: d.ID, Decision: kiosk.DecisionRefused}); err != nil || answer.Accepted {
		t.Errorf("refused by another holder: %+v, %v", answer, err)
	}
	b.advance(ticketLife)
	forbidden("an old ticket", k1, ticket)

	b.rule("default = \"allow\"\n")
	without := b.kiosk(b.serve(), "k3")
	b.advance(-ticketLife)
	if ticket := without.ticketOf("valid"); ticket != "" {
		t.Error("a kiosk gets a ticket although its rules offer no documents")
	}
}

// TestDocumentsAreBounded checks how many documents may wait, that they expire, and that what
// JetStream stores discloses neither their text nor their holder.
func TestDocumentsAreBounded(t *testing.T) {
	b := newBed(t)
	h := b.open()
	for range kiosk.MaxEntries {
		addText(t, h, "valid", letter)
	}
	holder := kiosk.Holder{ID: cards(t).Holders["valid"].Person.ID}
	again := NewDocument{Holder: holder.ID, Title: "T", Kind: kiosk.TextDocument, Content: letter, Life: time.Hour}
	if _, err := h.documents.add(t.Context(), again); err == nil || !strings.Contains(err.Error(), "9 documents wait") {
		t.Errorf("one too many: %v", err)
	}
	list, err := h.documents.Waiting(t.Context(), holder)
	if err != nil || len(list) != kiosk.MaxEntries {
		t.Fatalf("%d wait, %v", len(list), err)
	}
	js := b.jetStream()
	for _, name := range []string{"KV_" + documentsBucket, "OBJ_" + documentFiles} {
		stream, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		info, err := stream.Info(t.Context())
		if err != nil || info.Config.MaxAge != docstore.Memory {
			t.Errorf("%s keeps messages for %v, %v", name, info.Config.MaxAge, err)
		}
		for n := info.State.FirstSeq; n <= info.State.LastSeq; n++ {
			msg, err := stream.GetMsg(t.Context(), n)
			if err != nil {
				continue // deleted
			}
			stored := msg.Subject + string(msg.Data)
			for _, secret := range []string{holder.ID, "900000001", "pens", "Order"} {
				if strings.Contains(stored, secret) {
					t.Errorf("%s stores %q in %q", name, secret, msg.Subject)
				}
			}
		}
	}
	b.advance(2 * time.Hour)
	if list, err := h.documents.Waiting(t.Context(), holder); err != nil || len(list) != 0 {
		t.Errorf("after they expired %d wait, %v", len(list), err)
	}
	b.advance(docstore.Memory)
	if list, err := h.documents.All(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("after 90 days there are %d, %v", len(list), err)
	}
}

// A store that cannot be read hides the documents. Logins go on.
func TestVerdictWithoutDocuments(t *testing.T) {
	b := newBed(t)
	b.rule(offerDocuments)
	h := b.open()
	addText(t, h, "valid", letter)
	if v := ask(t, h, "valid", "k1"); !v.Granted || v.Documents == "" {
		t.Fatalf("%+v", v)
	}
	other, err := docstore.New(brokenBucket{h.challenges}, nil, []byte("secret"), b.now)
	if err != nil {
		t.Fatal(err)
	}
	h.documents.Store = other
	if v := ask(t, h, "valid", "k1"); !v.Granted || v.Documents != "" {
		t.Errorf("%+v", v)
	}
}

// brokenBucket cannot be read.
type brokenBucket struct{ jetstream.KeyValue }

func (brokenBucket) Get(context.Context, string) (jetstream.KeyValueEntry, error) {
	return nil, errors.New("the disk fails")
}

// TestPDF signs a PDF, and lets pdfsig and qpdf judge what the consumer gets.
func TestPDF(t *testing.T) {
	b := newBed(t)
	b.rule(offerDocuments)
	h := b.open()
	k1, office := b.kiosk(b.serve(), "k1"), b.consumer(b.serve(), "office")
	text, err := os.ReadFile("testdata/letter.pdf")
	if err != nil {
		t.Fatal(err)
	}
	n := NewDocument{Holder: cards(t).Holders["valid"].Person.ID, Title: "Letter", Kind: kiosk.PDFDocument, Content: text, Life: time.Hour}
	if err := n.check(); err != nil {
		t.Fatal(err)
	}
	d, err := h.documents.add(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	ticket, at := k1.ticketOf("valid"), time.Now().Truncate(time.Second)
	sign := func(by testpki.Credential, content []byte, o cades.Options) []byte {
		p, err := pades.Prepare(content, pades.Options{Time: at})
		if err != nil {
			t.Fatal(err)
		}
		der, err := cades.Sign(by.Key, by.Certificate, p.Digest(crypto.SHA256), o)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	by := cards(t).Holders["valid"].Signature
	for _, c := range []struct {
		signature []byte
		at        time.Time
		want      kiosk.Reason
	}{
		{sign(by, append(bytes.Clone(text), '\n'), cades.Options{}), at, kiosk.Signature},
		{sign(by, text, cades.Options{}), at.Add(time.Second), kiosk.Signature},
		{sign(by, text, cades.Options{Time: at}), at, kiosk.SigningTime},
		{sign(cards(t).Holders["blocked"].Signature, text, cades.Options{}), at, kiosk.OtherHolder},
		{sign(by, text, cades.Options{Chain: []*x509.Certificate{cards(t).PersonCA}}), at, ""},
	} {
		answer, err := k1.HandIn(t.Context(), hubapi.SignatureRequest{Ticket: ticket, Document: d.ID, Decision: kiosk.DecisionSigned, Signature: c.signature, Time: c.at})
		if err != nil || answer.Reason != c.want || answer.Accepted != (c.want == "") {
			t.Errorf("%+v, %v; want %q", answer, err, c.want)
		}
	}
	signed, err := office.Signature(t.Context(), d.ID)
	if err != nil || !bytes.HasPrefix(signed, text) {
		t.Fatalf("the signed PDF cannot be fetched: %v", err)
	}
	file := filepath.Join(t.TempDir(), "signed.pdf")
	if err := os.WriteFile(file, signed, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("pdfsig", "-nocert", file).CombinedOutput(); err != nil || !strings.Contains(string(out), "Signature is Valid") || !strings.Contains(string(out), "Total document signed") {
		t.Errorf("pdfsig: %v\n%s", err, out)
	}
	if out, err := exec.Command("qpdf", "--check", file).CombinedOutput(); err != nil {
		t.Errorf("qpdf: %v\n%s", err, out)
	}
}
