package terminal_test

import (
	"crypto"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/cades"
	"smartkiosk/kiosk/protocol/document"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/pades"
	"smartkiosk/kiosk/terminal"
)

const order = "Two boxes of pens.\nUntil 1 May."

// startDocuments starts a terminal for which one document waits, whose holder is the card's.
func startDocuments(t *testing.T, change func(*rig, *terminal.Terminal)) *rig {
	offers := make(chan kiosk.Services, 1)
	offers <- kiosk.Services{Documents: true}
	r := start(t, func(r *rig, term *terminal.Terminal) {
		r.hub.documents, r.hub.answer = map[string]string{"d": order}, hubapi.SignatureAnswer{Accepted: true}
		r.hub.verdict.Documents = "ticket"
		term.Services = offers
		term.Pages = func(text string) ([]string, error) { return strings.SplitAfter(text, "\n"), nil }
		if change != nil {
			change(r, term)
		}
	})
	synctest.Wait()
	r.slotIs(kiosk.CardGone{}, cardIn())
	r.typeKeys("1234##1")
	return r
}

// TestSignDocument reads, signs with the PIN of signatures after a wrong one, and hands in.
func TestSignDocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startDocuments(t, nil)
		if s := r.expectScreen(kiosk.ScreenDocument); s.Text != "Two boxes of pens.\n" || s.Part != 1 || s.Parts != 2 || s.Title != "Order" {
			t.Errorf("the first page is %+v", s)
		}
		r.typeKeys("##1")
		if s := r.expectScreen(kiosk.ScreenPIN); s.Asks != kiosk.CodeSign || s.Tries != 3 {
			t.Errorf("the screen is %+v", s)
		}
		r.typeKeys("123456#")
		if s := r.expectScreen(kiosk.ScreenPIN); !s.WrongPIN || s.Tries != 2 {
			t.Errorf("after a wrong PIN the screen is %+v", s)
		}
		r.typeKeys("654321#")
		r.expectScreen(kiosk.ScreenDone)
		r.expectOrder("record granted", "signature certificate read", "show document", "show decide", "record completed", "show done")
		if strings.Trim(string(r.card.seen), "\x00") != "" {
			t.Error("the PIN of signatures is not wiped")
		}
		in := r.hub.handedIn[0]
		if in.Ticket != "ticket" || in.Document != "d" || in.Decision != kiosk.DecisionSigned {
			t.Errorf("handed in: %+v", in)
		}
		s, err := cades.Check(in.Signature, func(h crypto.Hash) []byte {
			sum := h.New()
			sum.Write([]byte(order))
			return sum.Sum(nil)
		})
		if err != nil || s.Time.IsZero() || len(s.Others) < 2 {
			t.Errorf("the signature has %d certificates and the time %v, %v", len(s.Others), s.Time, err)
		}
		if got := r.records[1]; got.Service != kiosk.ServiceDocument || got.Document.ID != "d" || got.Document.Hash == "" || got.Decision != kiosk.DecisionSigned {
			t.Errorf("recorded %+v", got)
		}
		r.slotIs(kiosk.CardGone{})
		if err := r.end(); err != nil {
			t.Error(err)
		}
		if strings.Contains(r.logged(), "pens") || strings.Contains(r.logged(), "ticket") {
			t.Errorf("the log has the document or the ticket: %s", r.logged())
		}
	})
}

// TestDocumentFails has the reason for everything that keeps a holder from signing.
func TestDocumentFails(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*rig, *terminal.Terminal)
		keys   string
		want   kiosk.Reason
	}{
		"no panel for documents": {func(_ *rig, term *terminal.Terminal) { term.Pages = nil }, "", kiosk.DocumentUnshown},
		"it does not fit": {func(_ *rig, term *terminal.Terminal) {
			term.Pages = func(string) ([]string, error) { return nil, errors.New("too long") }
		}, "", kiosk.DocumentUnshown},
		"letters that cannot be seen":       {func(r *rig, _ *terminal.Terminal) { r.hub.documents["d"] = "pay 1\u202e00" }, "", kiosk.DocumentUnshown},
		"another document than in the list": {func(r *rig, _ *terminal.Terminal) { r.hub.hash = strings.Repeat("0", 64) }, "", kiosk.HubSilent},
		"no key for signatures":             {func(r *rig, _ *terminal.Terminal) { r.card.signCerts = nil }, "", kiosk.NoSignKey},
		"the key of the login":              {func(r *rig, _ *terminal.Terminal) { r.card.signCerts = r.card.certs[1:] }, "", kiosk.NoSignKey},
		"the certificate of another person": {func(r *rig, _ *terminal.Terminal) {
			r.card.signCerts = [][]byte{r.pki.Holders["blocked"].Signature.Certificate.Raw}
		}, "", kiosk.NoSignKey},
		"the hub refuses the signature": {func(r *rig, _ *terminal.Terminal) { r.hub.answer = hubapi.SignatureAnswer{Reason: kiosk.OtherHolder} }, "##1654321#", kiosk.SignatureRefused},
		"it was withdrawn meanwhile":    {func(r *rig, _ *terminal.Terminal) { r.hub.answer = hubapi.SignatureAnswer{Reason: kiosk.DocumentGone} }, "02", kiosk.DocumentGone},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := startDocuments(t, c.change)
				r.typeKeys(c.keys)
				if s := r.expectScreen(kiosk.ScreenFailed); s.Reason != c.want {
					t.Errorf("failed because of %s, want %s", s.Reason, c.want)
				}
				if len(r.hub.handedIn) > 0 != (c.keys != "") {
					t.Errorf("handed in: %+v", r.hub.handedIn)
				}
				_ = r.end()
			})
		})
	}
}

// TestRefuseDocument refuses without a PIN and without reading.
func TestRefuseDocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startDocuments(t, nil)
		r.typeKeys("02")
		if s := r.expectScreen(kiosk.ScreenDone); s.Decision != kiosk.DecisionRefused {
			t.Errorf("the screen is %+v", s)
		}
		if in := r.hub.handedIn[0]; in.Decision != kiosk.DecisionRefused || in.Signature != nil {
			t.Errorf("handed in: %+v", in)
		}
		if got := r.records[1]; got.Decision != kiosk.DecisionRefused || got.Outcome != kiosk.Completed || got.Document.ID != "d" {
			t.Errorf("recorded %+v", got)
		}
		_ = r.end()
	})
}

// TestSignPDF shows the title, the pages and the fingerprint of a PDF, and signs it with the
// time that is handed in.
func TestSignPDF(t *testing.T) {
	text, err := os.ReadFile("../hub/testdata/letter.pdf")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r := startDocuments(t, func(r *rig, _ *terminal.Terminal) { r.hub.documents["d"], r.hub.kind = string(text), kiosk.PDFDocument })
		if s := r.expectScreen(kiosk.ScreenDocument); s.Text != "Order\n" || s.Parts != 3 {
			t.Errorf("the first page is %+v", s)
		}
		r.typeKeys("##")
		if s := r.expectScreen(kiosk.ScreenDocument); s.Text != "SHA-256: "+document.Hash(text) {
			t.Errorf("the last page is %+v", s)
		}
		r.typeKeys("#1654321#")
		r.expectScreen(kiosk.ScreenDone)
		in := r.hub.handedIn[0]
		p, err := pades.Prepare(text, pades.Options{Time: in.Time})
		if err != nil {
			t.Fatal(err)
		}
		if s, err := cades.Check(in.Signature, p.Digest); err != nil || !s.Time.IsZero() || in.Time.IsZero() {
			t.Errorf("the signature says %v, handed in %v: %v", s.Time, in.Time, err)
		}
		_ = r.end()
	})
}
