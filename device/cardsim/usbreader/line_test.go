package usbreader_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"testing"

	"smartkiosk/device/apdu"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/cardsim/usbreader"
	"smartkiosk/device/cardsim/usbreader/t1"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

// line is the driver's end of the line to a card, like libccid: TPDUs for T=0, blocks
// for T=1. It implements slot.Conn.
type line struct {
	*host
	atr    []byte
	ifsd   byte // information field that it asks the card to keep to; 0 to leave the default
	blocks bool // T=1

	ns, nr  byte // of T=1: the number of the next block sent, and of the next received
	repeats int  // R-blocks with which a block was asked for once more
}

var _ slot.Conn = (*line)(nil)

// open powers up a card and negotiates protocol and parameters like a host.
func (h *host) open(ifsd byte) *line {
	h.t.Helper()
	l := &line{host: h, atr: h.powerOn(), ifsd: ifsd}
	a, err := apdu.ParseATR(l.atr)
	if err != nil {
		h.t.Fatal(err)
	}
	if l.blocks = a.OffersT1(); l.blocks && ifsd != 0 {
		h.expect(fmt.Sprintf("00C101%02X%02X", ifsd, 0xC0^ifsd), fmt.Sprintf("00E101%02X%02X", ifsd, 0xE0^ifsd))
	}
	return l
}

func (l *line) ATR() []byte  { return l.atr }
func (l *line) Close() error { return nil }

func (l *line) Transmit(_ context.Context, command []byte) ([]byte, error) {
	if l.blocks {
		return l.chain(command)
	}
	answer, code := l.transfer(apdu.T0(command))
	if answer == nil {
		return nil, fmt.Errorf("bError %02X", code)
	}
	return answer, nil
}

// chain sends a command in blocks and gathers the response.
func (l *line) chain(command []byte) (response []byte, err error) {
	most := t1.InformationField(l.atr)
	for len(command) > most {
		piece := command[:most]
		command = command[most:]
		b, err := l.exchange(t1.Block{PCB: t1.Information(l.ns, true), Information: piece})
		l.ns ^= 1
		if err != nil || b.PCB != t1.Ready(l.ns, t1.Received) {
			return nil, fmt.Errorf("piece answered by %+v, %v", b, err)
		}
	}
	b, err := l.exchange(t1.Block{PCB: t1.Information(l.ns, false), Information: command})
	l.ns ^= 1
	for ; err == nil; b, err = l.exchange(t1.Block{PCB: t1.Ready(l.nr, t1.Received)}) {
		if l.ifsd != 0 && len(b.Information) > int(l.ifsd) {
			return nil, fmt.Errorf("block of %d bytes", len(b.Information))
		}
		response = append(response, b.Information...)
		more := b.PCB == t1.Information(l.nr, true)
		if !more && b.PCB != t1.Information(l.nr, false) {
			return nil, fmt.Errorf("answered by %+v", b)
		}
		if l.nr ^= 1; !more {
			return response, nil
		}
	}
	return nil, err
}

// exchange sends a block and returns the answer. It asks for a repetition of a
// damaged block and grants more time.
func (l *line) exchange(b t1.Block) (t1.Block, error) {
	for {
		got, code := l.transfer(b.Bytes())
		if got == nil {
			return t1.Block{}, fmt.Errorf("bError %02X", code)
		}
		answer, err := t1.Parse(got)
		switch {
		case err != nil:
			l.repeats++
			b = t1.Block{PCB: t1.Ready(l.nr, t1.WrongChecksum)}
		case answer.PCB == t1.WTX:
			l.waits++
			b = t1.Block{PCB: t1.WTX.Response(), Information: answer.Information}
		default:
			return answer, nil
		}
	}
}

// sign makes the card on a line sign with its first key for authentication, and
// verifies the signature.
func sign(ctx context.Context, conn slot.Conn, pin string) error {
	c, err := smartkort.Driver{}.Open(ctx, conn)
	if err != nil {
		return err
	}
	defer c.Close()
	certificates, err := c.Certificates(ctx)
	if err != nil {
		return err
	}
	for _, certificate := range certificates {
		x, err := x509.ParseCertificate(certificate.DER)
		if err != nil {
			return err
		}
		if x.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
			continue
		}
		if err := c.VerifyPIN(ctx, certificate, []byte(pin)); err != nil {
			return err
		}
		signer, err := c.Signer(ctx, certificate)
		if err != nil {
			return err
		}
		digest := sha256.Sum256([]byte("what is signed"))
		signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			return err
		}
		return rsa.VerifyPKCS1v15(x.PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], signature)
	}
	return fmt.Errorf("no certificate for authentication among %d", len(certificates))
}

// TestSign reads cards and makes them sign through a reader, with T=0 and with T=1,
// with long and short blocks.
func TestSign(t *testing.T) {
	for _, c := range []struct {
		card, pin string
		ifsd      byte
	}{{"valid", testpki.PIN, 0}, {"t1", testpki.LongPIN, 254}, {"t1", testpki.LongPIN, 16}, {"t1", testpki.LongPIN, 0}} {
		r := usbreader.New(usbreader.Config{Model: usbreader.Twin})
		r.Insert(card(t, c.card))
		if err := sign(t.Context(), configured(t, r).open(c.ifsd), c.pin); err != nil {
			t.Errorf("%s, IFSD %d: %v", c.card, c.ifsd, err)
		}
	}
}

// TestChain sends a command that is longer than a block of T=1.
func TestChain(t *testing.T) {
	r := usbreader.New(usbreader.Config{Model: usbreader.Twin})
	r.Insert(card(t, "t1"))
	l := configured(t, r).open(254)
	command := append([]byte{0x00, 0x2A, 0x9E, 0x9A, 0x00, 0x01, 0x2C}, make([]byte, 300)...)
	if got, err := l.Transmit(t.Context(), command); err != nil || !bytes.Equal(got, []byte{0x69, 0x85}) {
		t.Errorf("%X, %v", got, err)
	}
}
