package smartkort

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"testing"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
)

// TestKindHoldsNothingOfAnyHolder checks that the decrypted entry of a kind contains
// no name, number, label or certificate of the card from which it was learned.
func TestKindHoldsNothingOfAnyHolder(t *testing.T) {
	pki, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cache, err := NewCache(make([]byte, 32), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := cardsim.NewSlot("slot")
	s.Insert(pki.Cards["valid"])
	conn, err := s.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	card, err := Driver{Cache: cache}.Open(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := card.AuthenticationCertificates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := card.VerifyPIN(t.Context(), certs[0], []byte(testpki.PIN)); err != nil {
		t.Fatal(err)
	}
	signer, err := card.Signer(t.Context(), certs[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Sign(nil, make([]byte, 32), crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	atr := conn.ATR()
	card.Close()

	k := cache.kind(atr)
	if k == nil || len(k.Layouts) != 1 || len(k.Layouts[0].Authentication) != 1 {
		t.Fatalf("%+v", k)
	}
	plain := cache.kinds[cache.kindName(atr)]
	holder, image := pki.Holders["valid"], pki.Cards["valid"].Image()
	for _, private := range [][]byte{
		[]byte(holder.Person.Given), []byte(holder.Person.Surname), []byte(holder.Person.ID),
		base64Of(image.Serial), base64Of(certs[0].ID), base64Of(certs[0].DER[:30]), base64Of([]byte(certs[0].Label)[:12]),
	} {
		if bytes.Contains(plain, private) {
			t.Errorf("%q is in it", private)
		}
	}
}

// base64Of returns bytes in the form that they have in JSON.
func base64Of(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b)) }
