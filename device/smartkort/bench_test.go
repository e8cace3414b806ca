package smartkort_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

// countingConn counts what goes over the line.
type countingConn struct {
	slot.Conn
	apdus, bytes int
	card         time.Duration // what the card took
}

func (c *countingConn) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	start := time.Now()
	response, err := c.Conn.Transmit(ctx, command)
	c.card += time.Since(start)
	c.apdus++
	c.bytes += len(command) + len(response)
	return response, err
}

// BenchmarkVisit is what a visit asks of the card: find the certificate, ask
// for the tries left, verify the PIN, sign. The card answers at once.
//
//   - coldest: nothing is known, not even of cards of the kind
//   - first: cards of the kind were here, this one was not
//   - repeated: this card was here
func BenchmarkVisit(b *testing.B) {
	pki, err := testpki.New(time.Now())
	if err != nil {
		b.Fatal(err)
	}
	valid, other := cardsim.NewSlot("bench"), cardsim.NewSlot("bench")
	card := withLongCertificate(b, pki, "valid")
	valid.Insert(card)
	other.Insert(withLongCertificate(b, pki, "revoked"))
	newDriver := func() smartkort.Driver {
		cache, err := smartkort.NewCache(make([]byte, 32), nil)
		if err != nil {
			b.Fatal(err)
		}
		return smartkort.Driver{Cache: cache}
	}
	b.Run("coldest", func(b *testing.B) {
		measureVisit(b, valid, card, newDriver)
	})
	b.Run("first", func(b *testing.B) {
		measureVisit(b, valid, card, func() smartkort.Driver {
			d := newDriver()
			benchVisit(b, d, other)
			return d
		})
	})
	b.Run("repeated", func(b *testing.B) {
		d := newDriver()
		benchVisit(b, d, valid)
		measureVisit(b, valid, card, func() smartkort.Driver { return d })
	})
}

// withLongCertificate gives a card of the PKI a certificate for authentication
// of 1.6 KB: what real ones have, of which some name more policies and
// addresses than the test's.
func withLongCertificate(b *testing.B, pki *testpki.PKI, name string) *cardsim.Card {
	const size = 1600
	template := *pki.Holders[name].Authentication.Certificate
	image := pki.Cards[name].Image()
	key := image.Keys["authentication"]
	for filling := size - len(template.Raw) - 30; filling < size; filling++ {
		value, err := asn1.Marshal(strings.Repeat("x", filling))
		if err != nil {
			b.Fatal(err)
		}
		template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 999, 2}, Value: value}}
		if key.Certificate, err = x509.CreateCertificate(rand.Reader, &template, pki.PersonCA, key.Private.Public(), pki.PersonCAKey); err != nil {
			b.Fatal(err)
		}
		if len(key.Certificate) >= size {
			image.Keys["authentication"] = key
			card, err := cardsim.New(image)
			if err != nil {
				b.Fatal(err)
			}
			return card
		}
	}
	b.Fatalf("no certificate of %d bytes", size)
	return nil
}

func measureVisit(b *testing.B, s *cardsim.Slot, card *cardsim.Card, driver func() smartkort.Driver) {
	var apdus, bytes int
	var host time.Duration
	n := 0
	for b.Loop() {
		d := driver()
		start := time.Now()
		c := benchVisit(b, d, s)
		host += time.Since(start) - c.card
		apdus, bytes = c.apdus, c.bytes
		n++
	}
	b.ReportMetric(float64(apdus), "apdus/op")
	b.ReportMetric(float64(bytes), "bytes/op")
	b.ReportMetric(float64(host.Nanoseconds())/float64(n), "host-ns")
	for name, rate := range map[string]int{"line9600-ns": 9600, "line250k-ns": 250_000} {
		d, line := driver(), time.Duration(0)
		card.SetLine(cardsim.Line{Rate: rate}, func(d time.Duration) { line += d })
		benchVisit(b, d, s)
		card.SetLine(cardsim.Line{}, nil)
		b.ReportMetric(float64(line.Nanoseconds()), name)
	}
}

// BenchmarkCertificate is the least that a line takes for one certificate of
// 1.6 KB, whoever reads it, to measure visits by.
func BenchmarkCertificate(b *testing.B) {
	times := map[string]time.Duration{}
	for b.Loop() {
		for name, rate := range map[string]int{"line9600-ns": 9600, "line250k-ns": 250_000} {
			times[name] = 0
			for rest := 1600; rest > 0; rest -= 256 {
				times[name] += cardsim.Line{Rate: rate}.T0([]byte{0x00, 0xB0, 0x00, 0x00, 0x00}, append(make([]byte, min(rest, 256)), 0x90, 0x00))
			}
		}
	}
	for name, d := range times {
		b.ReportMetric(float64(d.Nanoseconds()), name)
	}
}

func benchVisit(b *testing.B, d smartkort.Driver, s *cardsim.Slot) *countingConn {
	ctx := b.Context()
	conn, err := s.Connect(ctx)
	if err != nil {
		b.Fatal(err)
	}
	counting := &countingConn{Conn: conn}
	card, err := d.Open(ctx, counting)
	if err != nil {
		b.Fatal(err)
	}
	defer card.Close()
	certificates, err := card.AuthenticationCertificates(ctx)
	if err != nil {
		b.Fatal(err)
	}
	if _, _, err := card.PINTries(ctx, certificates[0]); err != nil {
		b.Fatal(err)
	}
	if err := card.VerifyPIN(ctx, certificates[0], []byte("1234")); err != nil {
		b.Fatal(err)
	}
	signer, err := card.Signer(ctx, certificates[0])
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("nonce"))
	if _, err := signer.Sign(nil, digest[:], crypto.SHA256); err != nil {
		b.Fatal(err)
	}
	return counting
}
