package smartkort_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	_ "crypto/sha1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

// now is when the tests' cards are issued.
var now = time.Now()

func newPKI(t *testing.T) *testpki.PKI {
	t.Helper()
	p, err := testpki.New(now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// line is a connection to a software card. A test can change its responses.
type line struct {
	slot.Conn
	sent  [][]byte
	after func(n int, command, response []byte) ([]byte, error) // n counts from 1
}

func (l *line) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	l.sent = append(l.sent, bytes.Clone(command))
	response, err := l.Conn.Transmit(ctx, command)
	if err == nil && l.after != nil {
		return l.after(len(l.sent), command, response)
	}
	return response, err
}

func (l *line) count(ins byte) (n int) {
	for _, c := range l.sent {
		if c[1] == ins {
			n++
		}
	}
	return n
}

const insVerify = 0x20

func connect(t *testing.T, card *cardsim.Card) *line {
	t.Helper()
	s := cardsim.NewSlot("slot")
	s.Insert(card)
	conn, err := s.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &line{Conn: conn}
}

func open(t *testing.T, l *line) (*smartkort.Card, []smartkort.Certificate) {
	t.Helper()
	card, err := smartkort.Driver{}.Open(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { card.Close() })
	certs, err := card.Certificates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return card, certs
}

// TestCertificates checks that each card returns its own certificates and not those
// of the authorities, which it also contains.
func TestCertificates(t *testing.T) {
	p := newPKI(t)
	for name, card := range p.Cards {
		if name == "mute" {
			continue
		}
		var want [][]byte
		for _, c := range []testpki.Credential{p.Holders[name].Authentication, p.Holders[name].Signature} {
			if c.Certificate != nil {
				want = append(want, c.Certificate.Raw)
			}
		}
		_, certs := open(t, connect(t, card))
		if len(certs) != len(want) {
			t.Errorf("%s: %d certificates, want %d", name, len(certs), len(want))
			continue
		}
		for i, c := range certs {
			if !bytes.Equal(c.DER, want[i]) {
				t.Errorf("%s: certificate %d is another", name, i)
			}
		}
	}
}

// TestSign signs with both keys and every hash, and verifies the signatures with the
// certificates that the PKI issued.
func TestSign(t *testing.T) {
	p := newPKI(t)
	l := connect(t, p.Cards["valid"])
	card, certs := open(t, l)
	for i, credential := range []testpki.Credential{p.Holders["valid"].Authentication, p.Holders["valid"].Signature} {
		if err := card.VerifyPIN(t.Context(), certs[i], []byte(testpki.PIN)); err != nil {
			t.Fatal(err)
		}
		signer, err := card.Signer(t.Context(), certs[i])
		if err != nil {
			t.Fatal(err)
		}
		if !credential.Key.PublicKey.Equal(signer.Public()) {
			t.Error("another public key")
		}
		for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
			h := hash.New()
			h.Write([]byte("challenge"))
			signature, err := signer.Sign(nil, h.Sum(nil), hash)
			if err != nil {
				t.Fatalf("%v: %v", hash, err)
			}
			if err := rsa.VerifyPKCS1v15(&credential.Key.PublicKey, hash, h.Sum(nil), signature); err != nil {
				t.Errorf("%v: %v", hash, err)
			}
		}
	}
}

// TestSigningCommands checks that the signing commands have the form of ISO 7816-4
// and 7816-8: MSE SET with algorithm and key, PSO with the DigestInfo, GET RESPONSE.
func TestSigningCommands(t *testing.T) {
	l := connect(t, newPKI(t).Cards["valid"])
	if err := visit(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range l.sent[len(l.sent)-3:] {
		got = append(got, fmt.Sprintf("%x", c))
	}
	want := []string{
		"002241b606800102840101",
		"002a9e9a33" + "3031300d060960864801650304020105000420" + strings.Repeat("00", 32),
		"00c0000000",
	}
	if !slices.Equal(got, want) {
		t.Errorf("sent %q", got)
	}
}

// TestNothingIsSelectedAfterVerify: on many cards a SELECT would undo VERIFY.
func TestNothingIsSelectedAfterVerify(t *testing.T) {
	l := connect(t, newPKI(t).Cards["valid"])
	if err := visit(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	verified := false
	for _, c := range l.sent {
		verified = verified || c[1] == insVerify && len(c) > 5
		if verified && c[1] == 0xA4 {
			t.Errorf("%X after VERIFY", c)
		}
	}
}

func TestSignRefused(t *testing.T) {
	card, certs := open(t, connect(t, newPKI(t).Cards["valid"]))
	signer, err := card.Signer(t.Context(), certs[0])
	if err != nil {
		t.Fatal(err)
	}
	digest := make([]byte, 32)
	for name, c := range map[string]struct {
		digest []byte
		opts   crypto.SignerOpts
		want   error
	}{
		"no PIN verified":   {digest, crypto.SHA256, apdu.SecurityStatus},
		"PSS":               {digest, &rsa.PSSOptions{Hash: crypto.SHA256}, smartkort.ErrUnsupportedKey},
		"SHA-1":             {digest[:20], crypto.SHA1, smartkort.ErrUnsupportedKey},
		"no hash":           {digest, crypto.Hash(0), smartkort.ErrUnsupportedKey},
		"digest of no size": {digest[:31], crypto.SHA256, smartkort.ErrUnsupportedKey},
	} {
		if _, err := signer.Sign(nil, c.digest, c.opts); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	certs[0].DER = certs[0].DER[1:]
	if _, err := card.Signer(t.Context(), certs[0]); !errors.Is(err, smartkort.ErrMalformed) {
		t.Errorf("broken certificate: %v", err)
	}
}

// TestCardThatLies returns an invalid signature.
func TestCardThatLies(t *testing.T) {
	l := connect(t, newPKI(t).Cards["valid"])
	card, certs := open(t, l)
	if err := card.VerifyPIN(t.Context(), certs[0], []byte(testpki.PIN)); err != nil {
		t.Fatal(err)
	}
	l.after = func(_ int, _, response []byte) ([]byte, error) {
		if len(response) > 200 {
			response[5] ^= 1
		}
		return response, nil
	}
	signer, err := card.Signer(t.Context(), certs[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Sign(nil, make([]byte, 32), crypto.SHA256); !errors.Is(err, rsa.ErrVerification) {
		t.Errorf("got %v", err)
	}
}

// TestPINLife checks that reading the tries left spends none, a wrong PIN spends one,
// the third blocks the PIN, and input that cannot be a PIN spends none.
func TestPINLife(t *testing.T) {
	p := newPKI(t)
	l := connect(t, p.Cards["valid"])
	card, certs := open(t, l)
	tries := func(want int) {
		t.Helper()
		for range 2 {
			if n, known, err := card.PINTries(t.Context(), certs[0]); n != want || !known || err != nil {
				t.Errorf("%d tries (%v, %v), want %d", n, known, err, want)
			}
		}
	}
	tries(3)
	for _, bad := range []string{"", "123", "12345", "12a4", "１２"} {
		if err := card.VerifyPIN(t.Context(), certs[0], []byte(bad)); !errors.Is(err, smartkort.ErrPINForm) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for want := 2; want >= 0; want-- {
		tries(want + 1)
		err := card.VerifyPIN(t.Context(), certs[0], []byte("0000"))
		if wrong, ok := errors.AsType[*smartkort.PINError](err); !ok || wrong.Tries != want {
			t.Errorf("got %v, want %d tries", err, want)
		}
	}
	tries(0)
	err := card.VerifyPIN(t.Context(), certs[0], []byte(testpki.PIN))
	if blocked, ok := errors.AsType[*smartkort.PINError](err); !ok || blocked.Tries != 0 || err.Error() != "PIN blocked" {
		t.Errorf("the right PIN on a blocked card: %v", err)
	}
}

// TestPINIsWiped checks that no command contains the PIN after it was sent, and that
// the driver does not change the caller's bytes.
func TestPINIsWiped(t *testing.T) {
	keeper := &keeper{Conn: connect(t, newPKI(t).Cards["valid"])}
	card, err := smartkort.Driver{}.Open(t.Context(), keeper)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := card.Certificates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pin := []byte(testpki.PIN)
	if err := card.VerifyPIN(t.Context(), certs[0], pin); err != nil {
		t.Fatal(err)
	}
	for _, c := range keeper.kept {
		if bytes.Contains(c, pin) {
			t.Errorf("%X holds the PIN", c)
		}
	}
	if string(pin) != testpki.PIN {
		t.Error("the caller's PIN was changed")
	}
}

// keeper keeps the slices that it gets, without copying them.
type keeper struct {
	slot.Conn
	kept [][]byte
}

func (k *keeper) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	k.kept = append(k.kept, command)
	return k.Conn.Transmit(ctx, command)
}

// visit makes a whole visit.
func visit(ctx context.Context, conn slot.Conn) error {
	card, err := smartkort.Driver{}.Open(ctx, conn)
	if err != nil {
		return err
	}
	defer card.Close()
	certs, err := card.Certificates(ctx)
	if err != nil {
		return err
	}
	if _, _, err := card.PINTries(ctx, certs[0]); err != nil {
		return err
	}
	if err := card.VerifyPIN(ctx, certs[0], []byte(testpki.PIN)); err != nil {
		return err
	}
	signer, err := card.Signer(ctx, certs[0])
	if err != nil {
		return err
	}
	_, err = signer.Sign(nil, make([]byte, 32), crypto.SHA256)
	return err
}

// TestPulledAtEachCommand removes the card at each command of a visit in turn. The
// visit must end there, and VERIFY must not be sent again.
func TestPulledAtEachCommand(t *testing.T) {
	p := newPKI(t)
	for at := 1; ; at++ {
		l := connect(t, p.Cards["valid"])
		l.after = func(n int, _, response []byte) ([]byte, error) {
			if n == at {
				return nil, fmt.Errorf("line: %w", slot.ErrNoCard)
			}
			return response, nil
		}
		err := visit(t.Context(), l)
		if len(l.sent) < at {
			if err != nil {
				t.Errorf("the whole visit: %v", err)
			}
			if at < 20 {
				t.Errorf("a visit of %d commands", at)
			}
			return
		}
		if !errors.Is(err, slot.ErrNoCard) || len(l.sent) != at {
			t.Errorf("pulled at %d: %d sent, %v", at, len(l.sent), err)
		}
		if l.count(insVerify) > 2 { // one asks for the tries
			t.Errorf("pulled at %d: %d times VERIFY", at, l.count(insVerify))
		}
	}
}

// TestClose checks that Close resets the card, so that the next user cannot sign.
func TestClose(t *testing.T) {
	p := newPKI(t)
	s := cardsim.NewSlot("slot")
	s.Insert(p.Cards["valid"])
	conn, err := s.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := visit(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if conn, err = s.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	card, certs := open(t, &line{Conn: conn})
	signer, err := card.Signer(t.Context(), certs[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Sign(nil, make([]byte, 32), crypto.SHA256); !errors.Is(err, apdu.SecurityStatus) {
		t.Errorf("got %v", err)
	}
}

func TestDescribe(t *testing.T) {
	card, err := smartkort.Driver{}.Open(t.Context(), connect(t, newPKI(t).Cards["blocked"]))
	if err != nil {
		t.Fatal(err)
	}
	d, err := card.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d.Profile.Name != "buypass" || d.Found != "AID of the standard" || len(d.Keys) != 2 || len(d.Certificates) != 2 {
		t.Errorf("%+v", d)
	}
	if d.Token.Label != "Smartkort (software)" || len(d.Token.Serial) != 8 || len(d.Token.LastUpdate) != len("20260131120000Z") {
		t.Errorf("%+v", d.Token)
	}
	if len(d.PINs) != 2 || d.PINs[0].Tries != 0 || !d.PINs[0].Known || d.PINs[0].Reference != 0x82 || !d.PINs[1].Unblocking || d.PINs[1].Tries != 3 {
		t.Errorf("%+v", d.PINs)
	}
}
