package hub

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/trust"
)

const ownNonce = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// offlineVisit is a visit with this card that the kiosk has just granted offline. Each one
// has a nonce of its own.
func offlineVisit(t testing.TB, b *bed, card string) event.Visit {
	t.Helper()
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		t.Fatal(err)
	}
	nonce := base64.StdEncoding.EncodeToString(raw)
	visit := event.Visit{
		Visit: "visit-" + card, Outcome: kiosk.Granted, Authenticated: true, Offline: true,
		Evidence: &event.Evidence{Token: token(t, card, nonce), Nonce: nonce, Origin: origin},
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
			ID: id, Kiosk: p.id, Epoch: p.epoch, Sequence: p.sequence + 1, Type: event.TypeVisit, Time: at,
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

// reviews pulls a consumer's feed until it has n reviews, and returns all reviews that it
// has got by then.
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

// The hub reviews each offline visit once when it arrives, and the feed says whether the
// hub agrees.
func TestReview(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	b.open() // another hub on the same events
	k1, office := b.kiosk(url, "k1"), b.consumer(url, "office")

	good := offlineVisit(t, b, "valid")
	somebodyElse := offlineVisit(t, b, "valid")
	somebodyElse.Holder = &kiosk.Holder{ID: "UN:NO-9578-4050-1", Name: "Ola", Domain: good.Holder.Domain}
	altered := offlineVisit(t, b, "valid")
	altered.Evidence.Nonce = offlineVisit(t, b, "valid").Evidence.Nonce // not the one that the card signed
	noNonce := offlineVisit(t, b, "valid")
	noNonce.Evidence.Nonce = ""
	noToken := offlineVisit(t, b, "valid")
	noToken.Evidence.Token = json.RawMessage(`{}`)
	denied := offlineVisit(t, b, "revoked")
	denied.Outcome, denied.Reason = kiosk.Denied, kiosk.Revoked
	tooStrict := offlineVisit(t, b, "valid")
	tooStrict.Outcome, tooStrict.Reason = kiosk.Denied, kiosk.RevocationUnknown
	expired := offlineVisit(t, b, "expired")
	expired.Basis.Time = cards(t).Holders["expired"].Authentication.Certificate.NotAfter // the kiosk claims a time at which it was valid

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
		not     bool // the hub does not review it
	}{
		{name: "online", visit: online, not: true},
		{name: "good", visit: good, agrees: true, verdict: kiosk.Granted},
		{name: "refused by the rules", visit: never, not: true},
		{name: "revoked", visit: offlineVisit(t, b, "revoked"), verdict: kiosk.Denied, reason: kiosk.Revoked},
		{name: "foreign", visit: offlineVisit(t, b, "foreign"), verdict: kiosk.Denied, reason: kiosk.NotTrusted},
		{name: "cancelled", visit: cancelled, not: true},
		{name: "somebody else", visit: somebodyElse, verdict: kiosk.Granted},
		{name: "altered nonce", visit: altered, verdict: kiosk.Denied, reason: kiosk.Signature},
		{name: "no nonce", visit: noNonce, verdict: kiosk.Denied, reason: kiosk.NonceUnknown},
		{name: "no token", visit: noToken, verdict: kiosk.Denied, reason: kiosk.Parse},
		{name: "denied rightly", visit: denied, agrees: true, verdict: kiosk.Denied, reason: kiosk.Revoked},
		{name: "too strict", visit: tooStrict, verdict: kiosk.Granted},
		{name: "expired", visit: offlineVisit(t, b, "expired"), verdict: kiosk.Denied, reason: kiosk.Expired},
		{name: "judged for another time", visit: expired, verdict: kiosk.Denied, reason: kiosk.ClockUntrusted},
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
	k1.send(batch, uint64(len(all))) // sent again: there is nothing new to review
	last := offlineVisit(t, b, "valid")
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

// A review uses what the hub knows of revocation when the event arrives, and the
// operator's rules.
func TestReviewUsesTodaysKnowledge(t *testing.T) {
	b := newBed(t)
	rules := "default = \"allow\"\n[[rule]]\nname = \"barred\"\naction = \"deny\"\nkiosks = [\"k2\"]\n"
	if err := os.WriteFile(filepath.Join(b.dir, rulesFile), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	url := b.serve()
	k1, k2, office := b.kiosk(url, "k1"), b.kiosk(url, "k2"), b.consumer(url, "office")

	k2.send(k2.visits(b.now(), offlineVisit(t, b, "valid")), 1)
	if r := office.reviews(1)[0]; r.Agrees || r.Verdict != kiosk.Denied || r.Reason == "" {
		t.Errorf("whom the rules turn away: %+v", r)
	}
	// After 31 days the hub's CRL is too old to be used.
	visit := offlineVisit(t, b, "valid")
	b.advance(31 * 24 * time.Hour)
	k1.send(k1.visits(b.now().Add(-31*24*time.Hour), visit), 1)
	if r := office.reviews(1)[0]; r.Agrees || r.Reason != kiosk.RevocationUnknown {
		t.Errorf("when nothing is known of revocation: %+v", r)
	}
}

// alarms pulls a consumer's feed until it has n alarms, and returns them.
func (p *party) alarms(n int) (alarms []event.Alarm) {
	p.t.Helper()
	for len(alarms) < n {
		batch, cursor, err := p.Feed(p.t.Context(), p.id, 100, 20*time.Second)
		if err != nil || len(batch) == 0 {
			p.t.Fatalf("%d of %d alarms: %v", len(alarms), n, err)
		}
		for _, text := range batch {
			var e struct {
				Type string
				Data event.Alarm
			}
			if err := json.Unmarshal(text, &e); err == nil && e.Type == event.TypeAlarm {
				alarms = append(alarms, e.Data)
			}
		}
		p.ack(cursor)
	}
	return alarms
}

// Evidence that no honest kiosk writes raises an alarm and marks the kiosk, and so does a
// grant that the hub would not have given.
func TestReviewAlarms(t *testing.T) {
	b := newBed(t)
	h := b.open()
	url := b.serve()
	kiosks := 0
	for _, tt := range []struct {
		name    string
		change  func(k *party, v *event.Visit)
		kind    string // "" for no alarm
		problem string
	}{
		{"honest", func(*party, *event.Visit) {}, "", ""},
		{"no evidence", func(_ *party, v *event.Visit) { v.Evidence = nil }, event.AlarmEvidence, problemNoEvidence},
		{"no token", func(_ *party, v *event.Visit) { v.Evidence.Token = nil }, event.AlarmEvidence, problemNoEvidence},
		{"no judged time", func(_ *party, v *event.Visit) { v.Basis = nil }, event.AlarmEvidence, problemNoEvidence},
		{"an early judged time", func(_ *party, v *event.Visit) { v.Basis.Time = v.Basis.Time.Add(-time.Hour) }, event.AlarmEvidence, problemTime},
		{"a late judged time", func(_ *party, v *event.Visit) { v.Basis.Time = v.Basis.Time.Add(time.Hour) }, event.AlarmEvidence, problemTime},
		{"granted with a reason", func(_ *party, v *event.Visit) { v.Reason = kiosk.Revoked }, event.AlarmEvidence, problemReason},
		{"denied with an online reason", func(_ *party, v *event.Visit) { v.Outcome, v.Reason = kiosk.Denied, kiosk.NonceUsed }, event.AlarmEvidence, problemReason},
		{"a nonce that was used online", func(k *party, v *event.Visit) {
			nonce := k.nonce()
			k.verdict(t.Context(), nonce, token(t, "valid", nonce))
			v.Evidence.Token, v.Evidence.Nonce = token(t, "valid", nonce), nonce
		}, event.AlarmEvidence, problemNonceUsed},
		{"a nonce of another kiosk", func(_ *party, v *event.Visit) {
			nonce := newNonce(t, h, "another")
			v.Evidence.Token, v.Evidence.Nonce = token(t, "valid", nonce), nonce
		}, event.AlarmEvidence, problemNonceForeign},
		{"a revoked card", func(_ *party, v *event.Visit) { *v = offlineVisit(t, b, "revoked") }, event.AlarmReview, ""},
	} {
		kiosks++
		id := fmt.Sprintf("k%d", kiosks)
		k, office := b.kiosk(url, id), b.consumer(url, "office"+id)
		v := offlineVisit(t, b, "valid")
		tt.change(k, &v)
		k.send(k.visits(b.now(), v), 1)
		var review event.Review
		for review.Kiosk != id {
			all := office.reviews(1)
			review = all[len(all)-1]
		}
		if review.Agrees != (tt.kind == "") || review.Problem != tt.problem {
			t.Errorf("%s: the review is %+v", tt.name, review)
		}
		m, _, err := h.markOf(t.Context(), id)
		if err != nil || m.Kind != tt.kind || (m.Alarms > 0) != (tt.kind != "") {
			t.Errorf("%s: the kiosk's mark is %+v, %v", tt.name, m, err)
		}
		if tt.kind == "" {
			continue
		}
		reader := b.consumer(url, "alarms"+id)
		var a event.Alarm
		for a.Kiosk != id {
			all := reader.alarms(1)
			a = all[len(all)-1]
		}
		if a.Kind != tt.kind || a.Visit != v.Visit || a.Sequence != 1 {
			t.Errorf("%s: the alarm is %+v", tt.name, a)
		}
	}
}

// Evidence that is used for two visits is recognised, also at two kiosks.
func TestReviewFindsReusedEvidence(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, k2, office := b.kiosk(url, "k1"), b.kiosk(url, "k2"), b.consumer(url, "office")
	v := offlineVisit(t, b, "valid")
	k1.send(k1.visits(b.now(), v), 1)
	if r := office.reviews(1)[0]; !r.Agrees {
		t.Errorf("the first use: %+v", r)
	}
	k1.send(k1.visits(b.now(), v), 2)
	if r := office.reviews(1)[0]; r.Agrees || r.Problem != problemNonceUsed || r.Reason != kiosk.NonceUsed {
		t.Errorf("the second use: %+v", r)
	}
	k2.send(k2.visits(b.now(), v), 1)
	if r := office.reviews(1)[0]; r.Agrees || r.Problem != problemNonceUsed {
		t.Errorf("the use at another kiosk: %+v", r)
	}
}
