package event

import (
	"bytes"
	"testing"
)

func FuzzOpen(f *testing.F) {
	o, device := NewOpener(jwk(f, "hub")), &deviceKey(f).PublicKey
	sealed, _, err := sealer(f).Seal(testHeader(f, 1, nil), testVisit())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := o.Open(b, device)
		if err != nil {
			return
		}
		// Only the holder of the key can have made it, so it is the event of the seed,
		// perhaps with other unsigned members.
		if _, err := e.Plain(); err != nil {
			t.Error(err)
		}
		if e.Sequence != 1 || e.Kiosk != "k1" {
			t.Errorf("opened %+v", e.Header)
		}
	})
}

// FuzzSignedText reads texts that a faulty kiosk could sign with its own key.
func FuzzSignedText(f *testing.F) {
	text, err := signedText(testHeader(f, 2, bytes.Repeat([]byte{7}, LinkSize)), testVisit())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := readObject(text)
		if err != nil {
			return
		}
		h, err := readHeader(o)
		if err != nil || h.check() != nil {
			return
		}
		b, err := Opened{Header: h, Payload: o.without(headerNames)}.Plain()
		if err != nil {
			t.Fatal(err)
		}
		again, err := readObject(b)
		if err != nil {
			t.Fatal(err)
		}
		h2, err := readHeader(again)
		if err != nil || h2.attributes() != h.attributes() {
			t.Errorf("%+v became %+v: %v", h, h2, err)
		}
		if b, err = WithoutEvidence(b); err != nil {
			t.Fatal(err)
		}
		again, err = readObject(b)
		if err != nil || again.get("jws") != nil || Members(again.get("data"), "evidence")[0] != nil || string(again.get("evidenceremoved")) != "true" {
			t.Errorf("without evidence it is %s, %v", b, err)
		}
	})
}
