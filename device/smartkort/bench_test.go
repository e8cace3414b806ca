package smartkort_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

// countingConn counts APDUs and bytes.
type countingConn struct {
	slot.Conn
	apdus, bytes int
	card         time.Duration // time of the card
	needed       []exchange    // exchanges that every authentication needs, except reading the certificate
}

type exchange struct{ command, response []byte }

func (c *countingConn) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	start := time.Now()
	response, err := c.Conn.Transmit(ctx, command)
	c.card += time.Since(start)
	c.apdus++
	c.bytes += len(command) + len(response)
	if proof := []byte{0x20, 0x22, 0x2A, 0xC0}; len(command) > 4 && slices.Contains(proof, command[1]) {
		c.needed = append(c.needed, exchange{bytes.Clone(command), bytes.Clone(response)})
	}
	return response, err
}

// least returns the shortest time that a line takes for a visit with a certificate
// of certificateBytes. It counts the answer to reset, the certificate, VERIFY, the
// choice of the key, the digest and the signature, but no SELECT of a file.
func (c *countingConn) least(l cardsim.Line) time.Duration {
	d := l.Reset(c.ATR()) + certificateTime(l)
	for _, e := range c.needed {
		d += l.T0(e.command, e.response)
	}
	return d
}

const certificateBytes = 1600

// certificateTime returns the shortest time that a line takes for one certificate.
func certificateTime(l cardsim.Line) (d time.Duration) {
	for rest := certificateBytes; rest > 0; rest -= 256 {
		d += l.T0([]byte{0x00, 0xB0, 0x00, 0x00, 0x00}, append(make([]byte, min(rest, 256)), 0x90, 0x00))
	}
	return d
}

var lines = map[string]cardsim.Line{"9600": {Rate: 9600}, "250k": {Rate: 250_000}}

// BenchmarkVisit measures a visit: find the certificate, read the tries left, verify
// the PIN, sign. The card itself takes no time.
//
//   - coldest: the cache contains neither the card nor its kind
//   - first: the cache contains the kind, but not this card
//   - repeated: the cache contains this card
//
// It also reports the line's time as a multiple of the shortest time.
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

// withLongCertificate returns a card of the PKI whose certificate for authentication
// has 1.6 KB, like real ones. Some of those name more policies and addresses than
// the test's.
func withLongCertificate(b testing.TB, pki *testpki.PKI, name string) *cardsim.Card {
	const size = certificateBytes
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
	for name, l := range lines {
		d, took := driver(), time.Duration(0)
		card.SetLine(l, func(d time.Duration) { took += d })
		c := benchVisit(b, d, s)
		card.SetLine(cardsim.Line{}, nil)
		b.ReportMetric(float64(took.Nanoseconds()), "line"+name+"-ns")
		b.ReportMetric(float64(took)/float64(c.least(l)), "of-least"+name)
	}
}

// BenchmarkCertificate reports the shortest time that a line takes for one
// certificate, as a reference for visits.
func BenchmarkCertificate(b *testing.B) {
	times := map[string]time.Duration{}
	for b.Loop() {
		for name, l := range lines {
			times[name] = certificateTime(l)
		}
	}
	for name, d := range times {
		b.ReportMetric(float64(d.Nanoseconds()), "line"+name+"-ns")
	}
}

func benchVisit(b testing.TB, d smartkort.Driver, s *cardsim.Slot) *countingConn {
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
