package smartkort_test

import (
	"context"
	"crypto"
	"crypto/sha256"
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
}

func (c *countingConn) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	response, err := c.Conn.Transmit(ctx, command)
	c.apdus++
	c.bytes += len(command) + len(response)
	return response, err
}

// BenchmarkVisit is what a visit asks of the card: find the certificate,
// verify the PIN, sign. The card answers at once.
func BenchmarkVisit(b *testing.B) {
	pki, err := testpki.New(time.Now())
	if err != nil {
		b.Fatal(err)
	}
	s := cardsim.NewSlot("bench")
	s.Insert(pki.Cards["valid"])
	b.Run("first", func(b *testing.B) { measureVisit(b, s) })
	// The driver remembers nothing of a card yet: a repeated visit asks it
	// all again.
	b.Run("repeated", func(b *testing.B) {
		benchVisit(b, s)
		measureVisit(b, s)
	})
}

func measureVisit(b *testing.B, s *cardsim.Slot) {
	var apdus, bytes int
	for b.Loop() {
		c := benchVisit(b, s)
		apdus, bytes = c.apdus, c.bytes
	}
	b.ReportMetric(float64(apdus), "apdus/op")
	b.ReportMetric(float64(bytes), "bytes/op")
}

func benchVisit(b *testing.B, s *cardsim.Slot) *countingConn {
	ctx := b.Context()
	conn, err := s.Connect(ctx)
	if err != nil {
		b.Fatal(err)
	}
	counting := &countingConn{Conn: conn}
	card, err := smartkort.Open(ctx, counting)
	if err != nil {
		b.Fatal(err)
	}
	defer card.Close()
	certificates, err := card.Certificates(ctx)
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
