package hub

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/trust"
)

const ownNonce = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// alone is a visit with this card that the kiosk granted alone, just now.
func alone(t testing.TB, b *bed, card string) event.Visit {
	t.Helper()
	visit := event.Visit{
		Visit: "visit-" + card, Outcome: kiosk.Granted, Authenticated: true, Offline: true,
		Evidence: &event.Evidence{Token: token(t, card, ownNonce), Nonce: ownNonce, Origin: origin},
		Basis:    &event.Basis{Rules: "rules-7", Time: b.now(), CRL: "1"},
	}
	cert := cards(t).Holders[card].Authentication.Certificate
	cfg, err := Load(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := cfg.Trust.files.Path(cert, trust.Authenticate, cert.NotAfter); err == nil {
		visit.Holder = &p.Holder
	}
	return visit
}

// visits seals events of visits.
func (p *party) visits(at time.Time, all ...event.Visit) (batch []json.RawMessage) {
	p.t.Helper()
	for _, v := range all {
		id, err := event.NewID(at, rand.Reader)
		if err != nil {
			p.t.Fatal(err)
		}
		sealed, link, err := p.seal.Seal(event.Header{
			ID: id, Kiosk: p.id, Sequence: p.sequence + 1, Type: event.TypeVisit, Time: at,
			BootID: "b0", Uptime: time.Minute, ClockTrusted: true, Prev: p.link,
		}, v)
		if err != nil {
			p.t.Fatal(err)
		}
		p.sequence, p.link = p.sequence+1, link
		batch = append(batch, sealed)
	}
	return batch
}

// reviews pulls a consumer's feed until it has n reviews, and gives all that it
// has by then.
func (p *party) reviews(n int) (reviews []event.Review) {
	p.t.Helper()
	for len(reviews) < n {
		batch, cursor, err := p.Feed(p.t.Context(), p.id, 100, 20*time.Second)
		if err != nil || len(batch) == 0 {
			p.t.Fatalf("%d of %d reviews: %v", len(reviews), n, err)
		}
		for _, text := range batch {
			var e struct {
				Type string
				Data event.Review
			}
			if err := json.Unmarshal(text, &e); err == nil && e.Type == event.TypeReview {
				reviews = append(reviews, e.Data)
			}
		}
		p.ack(cursor)
	}
	return reviews
}

// What a kiosk decided alone is judged again on arrival, once, and the feed tells
// of agreement and disagreement.
func TestReview(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	b.open() // another hub on the same events
	k1, office := b.kiosk(url, "k1"), b.consumer(url, "office")

	good := alone(t, b, "valid")
	somebodyElse := alone(t, b, "valid")
	somebodyElse.Holder = &kiosk.Holder{ID: "UN:NO-9578-4050-1", Name: "Ola", Domain: good.Holder.Domain}
	altered := alone(t, b, "valid")
	altered.Evidence.Nonce = "B" + ownNonce[1:]
	noNonce := alone(t, b, "valid")
	noNonce.Evidence.Nonce = ""
	noToken := alone(t, b, "valid")
	noToken.Evidence.Token = json.RawMessage(`{}`)
	denied := alone(t, b, "revoked")
	denied.Outcome, denied.Reason = kiosk.Denied, kiosk.Revoked
	tooStrict := alone(t, b, "valid")
	tooStrict.Outcome, tooStrict.Reason = kiosk.Denied, kiosk.RevocationUnknown
	expired := alone(t, b, "expired")
	expired.Basis.Time = cards(t).Holders["expired"].Authentication.Certificate.NotAfter // was valid then, says the kiosk

	online, never, cancelled := good, good, good
	online.Offline = false
	never.Outcome, never.Reason = kiosk.Denied, kiosk.OfflineNever
	cancelled.Outcome, cancelled.Evidence = kiosk.Cancelled, nil

	cases := []struct {
		name    string
		visit   event.Visit
		agrees  bool
		verdict kiosk.Outcome
		reason  kiosk.Reason
		not     bool // reviewed
	}{
		{name: "online", visit: online, not: true},
		{name: "good", visit: good, agrees: true, verdict: kiosk.Granted},
		{name: "refused by the rules", visit: never, not: true},
		{name: "revoked", visit: alone(t, b, "revoked"), verdict: kiosk.Denied, reason: kiosk.Revoked},
		{name: "foreign", visit: alone(t, b, "foreign"), verdict: kiosk.Denied, reason: kiosk.NotTrusted},
		{name: "cancelled", visit: cancelled, not: true},
		{name: "somebody else", visit: somebodyElse, verdict: kiosk.Granted},
		{name: "altered nonce", visit: altered, verdict: kiosk.Denied, reason: kiosk.Signature},
		{name: "no nonce", visit: noNonce, verdict: kiosk.Denied, reason: kiosk.NonceUnknown},
		{name: "no token", visit: noToken, verdict: kiosk.Denied, reason: kiosk.Parse},
		{name: "denied rightly", visit: denied, agrees: true, verdict: kiosk.Denied, reason: kiosk.Revoked},
		{name: "too strict", visit: tooStrict, verdict: kiosk.Granted},
		{name: "expired", visit: alone(t, b, "expired"), verdict: kiosk.Denied, reason: kiosk.Expired},
		{name: "expired since", visit: expired, agrees: true, verdict: kiosk.Granted},
	}
	var all []event.Visit
	wanted := 0
	for _, c := range cases {
		all = append(all, c.visit)
		if !c.not {
			wanted++
		}
	}
	batch := k1.visits(b.now(), all...)
	k1.send(batch, uint64(len(all)))
	k1.send(batch, uint64(len(all))) // again: nothing new to judge
	last := alone(t, b, "valid")
	k1.send(k1.visits(b.now(), last), uint64(len(all)+1))
	reviews := office.reviews(wanted + 1)
	if len(reviews) != wanted+1 {
		t.Fatalf("%d reviews, want %d: %+v", len(reviews), wanted+1, reviews)
	}
	for i, c := range cases {
		if c.not {
			continue
		}
		r := reviews[0]
		reviews = reviews[1:]
		if r.Agrees != c.agrees || r.Verdict != c.verdict || r.Reason != c.reason || r.Outcome != c.visit.Outcome ||
			r.Kiosk != "k1" || r.Sequence != uint64(i+1) || r.Visit != c.visit.Visit || r.Event == "" {
			t.Errorf("%s: the review is %+v", c.name, r)
		}
	}
}

// Revocation is judged by what is known when the event arrives, and the operator's
// rules have their say.
func TestReviewKnowsMore(t *testing.T) {
	b := newBed(t)
	rules := "default = \"allow\"\n[[rule]]\nname = \"barred\"\naction = \"deny\"\nkiosks = [\"k2\"]\n"
	if err := os.WriteFile(filepath.Join(b.dir, rulesFile), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	url := b.serve()
	k1, k2, office := b.kiosk(url, "k1"), b.kiosk(url, "k2"), b.consumer(url, "office")

	k2.send(k2.visits(b.now(), alone(t, b, "valid")), 1)
	if r := office.reviews(1)[0]; r.Agrees || r.Verdict != kiosk.Denied || r.Reason == "" {
		t.Errorf("whom the rules turn away: %+v", r)
	}
	// 31 days later the CRL that the hub has is of no use any more.
	visit := alone(t, b, "valid")
	b.advance(31 * 24 * time.Hour)
	k1.send(k1.visits(b.now().Add(-31*24*time.Hour), visit), 1)
	if r := office.reviews(1)[0]; r.Agrees || r.Reason != kiosk.RevocationUnknown {
		t.Errorf("when nothing is known of revocation: %+v", r)
	}
}
