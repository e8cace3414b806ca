package smartkort_test

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"maps"
	"testing"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

// disk is a Keep.
type disk map[string][]byte

func (d disk) Each(f func(id string, entry []byte) error) error {
	for id, entry := range d {
		if err := f(id, entry); err != nil {
			return err
		}
	}
	return nil
}

func (d disk) Put(entries map[string][]byte) {
	for id, entry := range entries {
		if entry == nil {
			delete(d, id)
		} else {
			d[id] = bytes.Clone(entry)
		}
	}
}

func caching(t testing.TB, keep smartkort.Keep) smartkort.Driver {
	t.Helper()
	cache, err := smartkort.NewCache(bytes.Repeat([]byte{7}, 32), keep)
	if err != nil {
		t.Fatal(err)
	}
	return smartkort.Driver{Cache: cache}
}

// visitWith makes a whole visit and returns the certificate.
func visitWith(t testing.TB, d smartkort.Driver, l *line, pin string) []byte {
	t.Helper()
	der, err := tryVisit(t, d, l, pin)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func tryVisit(t testing.TB, d smartkort.Driver, l slot.Conn, pin string) ([]byte, error) {
	card, err := d.Open(t.Context(), l)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	defer card.Close()
	certs, err := card.AuthenticationCertificates(t.Context())
	if err != nil {
		return nil, err
	}
	if _, _, err := card.PINTries(t.Context(), certs[0]); err != nil {
		return nil, err
	}
	if err := card.VerifyPIN(t.Context(), certs[0], []byte(pin)); err != nil {
		return nil, err
	}
	signer, err := card.Signer(t.Context(), certs[0])
	if err != nil {
		return nil, err
	}
	_, err = signer.Sign(nil, make([]byte, 32), crypto.SHA256)
	return certs[0].DER, err
}

// TestKnownCards checks that a card that comes again is only identified, gets the
// PIN and signs. The same is true after a restart of the driver.
func TestKnownCards(t *testing.T) {
	kinds := newKinds(t)
	kinds["smartkort"] = testpki.Kind{Card: newPKI(t).Cards["valid"]}
	for name, most := range map[string]int{
		"smartkort": 7, cardsim.Mixed: 7, cardsim.NoAID: 7, cardsim.TwoPIN: 7, cardsim.T1: 6, cardsim.Applet: 9, // its greeting is fetched
	} {
		pin := testpki.PIN
		if name == cardsim.T1 {
			pin = testpki.LongPIN
		}
		keep := disk{}
		d := caching(t, keep)
		first := connect(t, kinds[name].Card)
		der := visitWith(t, d, first, pin)
		again := connect(t, kinds[name].Card)
		if !bytes.Equal(visitWith(t, d, again, pin), der) {
			t.Errorf("%s: another certificate the second time", name)
		}
		if len(again.sent) > most || len(first.sent) < 2*most {
			t.Errorf("%s: %d commands, then %d, want %d at most", name, len(first.sent), len(again.sent), most)
		}
		restarted := connect(t, kinds[name].Card)
		if !bytes.Equal(visitWith(t, caching(t, keep), restarted, pin), der) || len(restarted.sent) > most {
			t.Errorf("%s: %d commands after a restart", name, len(restarted.sent))
		}
	}
}

// TestCacheHoldsNoNames checks that neither the IDs of entries nor their content
// reveal anything about a card or its holder, and that another secret does not
// decrypt them.
func TestCacheHoldsNoNames(t *testing.T) {
	p := newPKI(t)
	keep := disk{}
	d := caching(t, keep)
	visitWith(t, d, connect(t, p.Cards["valid"]), testpki.PIN)
	if len(keep) != 2 { // the card and its kind
		t.Fatalf("%d entries", len(keep))
	}
	person := p.Holders["valid"].Person
	image := p.Cards["valid"].Image()
	for id, entry := range keep {
		all := append([]byte(id), entry...)
		for _, clear := range [][]byte{
			[]byte(person.Surname), []byte(person.Given), []byte(person.ID), image.Serial, fmt.Appendf(nil, "%x", image.Serial),
			p.Holders["valid"].Authentication.Certificate.RawSubject, []byte("Authentication"), []byte("smartkort"),
		} {
			if bytes.Contains(all, clear) {
				t.Errorf("%q is in the clear", clear)
			}
		}
	}
	other, err := smartkort.NewCache(bytes.Repeat([]byte{8}, 32), maps.Clone(keep))
	if err != nil {
		t.Fatal(err)
	}
	l := connect(t, p.Cards["valid"])
	visitWith(t, smartkort.Driver{Cache: other}, l, testpki.PIN)
	if len(l.sent) < 20 {
		t.Errorf("%d commands: opened by another secret", len(l.sent))
	}
}

// TestCacheIsBounded checks the limit on entries, also when more were stored before.
func TestCacheIsBounded(t *testing.T) {
	keep := disk{"huge": make([]byte, 1<<20)}
	for i := range 600 {
		keep[fmt.Sprint(i)] = []byte{1}
	}
	d := caching(t, keep)
	if len(keep) != 512 {
		t.Errorf("%d entries are kept", len(keep))
	}
	visitWith(t, d, connect(t, newPKI(t).Cards["valid"]), testpki.PIN)
	if n := len(keep) - kept(keep, "kind-"); n != 512 {
		t.Errorf("%d entries are kept after one more", n)
	}
}

// changed returns a card whose content was changed by its issuer. If later is set,
// the card also has a later date.
func changed(t *testing.T, p *testpki.PKI, later bool) *cardsim.Card {
	t.Helper()
	image := p.Cards["valid"].Image()
	if later {
		image.Updated = image.Updated.AddDate(0, 0, 1)
	}
	image.Keys["authentication"] = p.Cards["revoked"].Image().Keys["authentication"]
	card, err := cardsim.New(image)
	if err != nil {
		t.Fatal(err)
	}
	return card
}

// TestChangedCard checks that a card with a new date is read again. A card with the
// old date and another key fails in this visit and is read again in the next.
func TestChangedCard(t *testing.T) {
	p := newPKI(t)
	d := caching(t, disk{})
	visitWith(t, d, connect(t, p.Cards["valid"]), testpki.PIN)
	want := p.Holders["revoked"].Authentication.Certificate.Raw
	if got := visitWith(t, d, connect(t, changed(t, p, true)), testpki.PIN); !bytes.Equal(got, want) {
		t.Error("the certificate from before the change")
	}
	if _, err := tryVisit(t, d, connect(t, changed(t, p, false)), testpki.PIN); err == nil {
		t.Error("a signature that the remembered certificate does not fit")
	}
	if got := visitWith(t, d, connect(t, changed(t, p, false)), testpki.PIN); !bytes.Equal(got, want) {
		t.Error("the remembered certificate was not dropped")
	}
}

// TestUnprovenIsNotKept checks that the driver stores nothing about a card before
// the card has signed with its key.
func TestUnprovenIsNotKept(t *testing.T) {
	p := newPKI(t)
	keep := disk{}
	d := caching(t, keep)
	if _, err := tryVisit(t, d, connect(t, p.Cards["valid"]), "0000"); err == nil {
		t.Fatal("wrong PIN")
	}
	if len(keep) != 0 {
		t.Errorf("%d entries", len(keep))
	}
}

// TestPulledFromCache removes the card at each command of a repeated visit, which
// must end there.
func TestPulledFromCache(t *testing.T) {
	p := newPKI(t)
	d := caching(t, disk{})
	visitWith(t, d, connect(t, p.Cards["valid"]), testpki.PIN)
	for at := 1; at <= 7; at++ {
		l := connect(t, p.Cards["valid"])
		l.after = func(n int, _, response []byte) ([]byte, error) {
			if n >= at {
				return nil, fmt.Errorf("line: %w", slot.ErrNoCard)
			}
			return response, nil
		}
		if _, err := tryVisit(t, d, l, testpki.PIN); !errors.Is(err, slot.ErrNoCard) || len(l.sent) != at {
			t.Errorf("pulled at %d: %d commands, %v", at, len(l.sent), err)
		}
	}
}
