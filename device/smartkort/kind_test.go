package smartkort_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

// Files of the software Smartkort.
const (
	filePINs         = "4401"
	fileKeys         = "4402"
	fileCertificates = "4403"
	fileCertificate  = "4501"
)

// edited is a card of which some files, named by their identifiers, and commands were
// changed. A change has the form "old=new", in hexadecimal.
type edited struct {
	*line
	file     string
	selected []string // files, up to the PIN
	typed    int      // PINs sent
	files    map[string]string
	commands string
}

func (e *edited) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	switch {
	case command[1] == 0xA4 && len(command) > 6:
		e.file = fmt.Sprintf("%X", command[len(command)-2:])
		if e.typed == 0 {
			e.selected = append(e.selected, e.file)
		}
	case command[1] == 0xB0 && command[2]&0x80 != 0:
		e.file = map[byte]string{0x91: "5031", 0x92: "5032"}[command[2]]
	case command[1] == insVerify && len(command) > 5:
		e.typed++
	}
	response, err := e.line.Transmit(ctx, edit(command, e.commands))
	if command[1] == 0xB0 {
		response = edit(response, e.files[e.file])
	}
	return response, err
}

func (e *edited) has(file string) bool { return strings.Contains(strings.Join(e.selected, " "), file) }

func edit(b []byte, change string) []byte {
	before, after, _ := strings.Cut(change, "=")
	from, _ := hex.DecodeString(before)
	to, _ := hex.DecodeString(after)
	if len(from) == 0 {
		return b
	}
	return bytes.ReplaceAll(b, from, to)
}

// reissued returns a card with another certificate for authentication over its key,
// of another make, and another first byte of its serial number.
func reissued(t *testing.T, p *testpki.PKI, name string, serial byte) *cardsim.Card {
	t.Helper()
	image := p.Cards[name].Image()
	image.Serial = append([]byte{serial}, image.Serial[1:]...)
	template := testpki.Authentication(p.Holders[name].Person, now.Add(-time.Hour), now.AddDate(1, 0, 0))
	template.Policies = template.Policies[:1]
	key := image.Keys["authentication"]
	certificate, err := p.Issue(template, key.Private.Public())
	if err != nil {
		t.Fatal(err)
	}
	key.Certificate = certificate.Raw
	image.Keys["authentication"] = key
	return personalised(t, image)
}

func personalised(t *testing.T, image cardsim.Image) *cardsim.Card {
	t.Helper()
	card, err := cardsim.New(image)
	if err != nil {
		t.Fatal(err)
	}
	return card
}

// knowing returns a driver that has already had a visit of a card of the kind.
func knowing(t *testing.T, p *testpki.PKI) smartkort.Driver {
	t.Helper()
	d := caching(t, disk{})
	visitWith(t, d, connect(t, p.Cards["valid"]), testpki.PIN)
	return d
}

// TestKnownKind checks that from a new card of a known kind the driver reads only
// the directory of PINs and the certificate, also after a restart.
func TestKnownKind(t *testing.T) {
	p := newPKI(t)
	keep := disk{}
	visitWith(t, caching(t, keep), connect(t, p.Cards["valid"]), testpki.PIN)
	e := &edited{line: connect(t, p.Cards["revoked"])}
	der, err := tryVisitBy(t, caching(t, keep), e)
	if err != nil || !bytes.Equal(der, p.Holders["revoked"].Authentication.Certificate.Raw) {
		t.Errorf("another certificate, %v", err)
	}
	if got := strings.Join(e.selected, " "); got != "5032 4401 4501" || len(e.sent) > 18 {
		t.Errorf("%d commands, selected %s", len(e.sent), got)
	}
}

func tryVisitBy(t *testing.T, d smartkort.Driver, e *edited) ([]byte, error) {
	t.Helper()
	return tryVisit(t, d, e, testpki.PIN)
}

// TestKindThatDiffers: a card that resembles others but has another layout is
// detected before the PIN is typed, and is read correctly.
func TestKindThatDiffers(t *testing.T) {
	p := newPKI(t)
	for name, c := range map[string]struct {
		card  *cardsim.Card
		files map[string]string
	}{
		"another PIN":                   {p.Cards["revoked"], map[string]string{filePINs: "0C0350494E=0C0350494D"}},
		"a certificate of another make": {reissued(t, p, "revoked", 0x95), nil},
		"no certificate at that place":  {p.Cards["revoked"], nil},
	} {
		e := &edited{line: connect(t, c.card), files: c.files}
		if name == "no certificate at that place" {
			e.after = func(_ int, command, response []byte) ([]byte, error) {
				if command[1] == 0xA4 && e.file == fileCertificate && !e.has(fileKeys) {
					return []byte{0x6A, 0x82}, nil
				}
				return response, nil
			}
		}
		want := c.card.Image().Keys["authentication"].Certificate
		if der, err := tryVisitBy(t, knowing(t, p), e); err != nil || !bytes.Equal(der, want) {
			t.Errorf("%s: another certificate, %v", name, err)
		}
		if !e.has(fileKeys) || !e.has(fileCertificates) || e.typed != 1 {
			t.Errorf("%s: selected %v, %d PINs", name, e.selected, e.typed)
		}
	}
}

// TestKindOfTwoIssuers checks that the driver recognises cards of one kind with
// certificates of several makes, as when an issuer changes its CA.
func TestKindOfTwoIssuers(t *testing.T) {
	p := newPKI(t)
	d := knowing(t, p)
	visitWith(t, d, connect(t, reissued(t, p, "revoked", 1)), testpki.PIN)
	for _, card := range []*cardsim.Card{p.Cards["revoked"], reissued(t, p, "revoked", 2), reissued(t, p, "valid", 3)} {
		e := &edited{line: connect(t, card)}
		if _, err := tryVisitBy(t, d, e); err != nil || e.has(fileKeys) {
			t.Errorf("%v, selected %v", err, e.selected)
		}
	}
}

// TestKindWithoutKey checks that a card of a known kind without a key for
// authentication is read like any other card.
func TestKindWithoutKey(t *testing.T) {
	p := newPKI(t)
	card, err := knowing(t, p).Open(t.Context(), connect(t, p.Cards["sign-only"]))
	if err != nil {
		t.Fatal(err)
	}
	certs, err := card.AuthenticationCertificates(t.Context())
	if err != nil || len(certs) != 1 || !bytes.Equal(certs[0].DER, p.Holders["sign-only"].Signature.Certificate.Raw) {
		t.Errorf("%d certificates, %v", len(certs), err)
	}
}

// TestKindOfTwoPINs checks that if the holder has more than one PIN, the driver reads
// from the card itself which PIN protects a key.
func TestKindOfTwoPINs(t *testing.T) {
	k := newKinds(t)[cardsim.TwoPIN]
	d := caching(t, nil)
	visitWith(t, d, connect(t, k.Card), testpki.PIN)
	image := k.Card.Image()
	image.Serial = append([]byte{0x01}, image.Serial[1:]...)
	e := &edited{line: connect(t, personalised(t, image))}
	if _, err := tryVisitBy(t, d, e); err != nil || !e.has("4401") || !e.has("4402") {
		t.Errorf("selected %v, %v", e.selected, err)
	}
}

// TestKeyThatMoved: the key of a card has another reference than on other cards of
// the kind, so its signature does not match the certificate. The visit fails without
// spending a try, and the next visit succeeds.
func TestKeyThatMoved(t *testing.T) {
	p := newPKI(t)
	d := knowing(t, p)
	moved := func() *edited {
		return &edited{line: connect(t, p.Cards["revoked"]), commands: "840101=840102",
			files: map[string]string{fileKeys: "020101A1=020109A1"}}
	}
	e := moved()
	if _, err := tryVisitBy(t, d, e); err == nil || e.typed != 1 || p.Cards["revoked"].Image().PINs["pin"].Left != testpki.Tries {
		t.Errorf("%v, %d PINs", err, e.typed)
	}
	e = moved()
	e.commands = "840109=840101" // 09 is what its directory says
	if _, err := tryVisitBy(t, d, e); err != nil || !e.has(fileKeys) {
		t.Errorf("the next visit: %v, selected %v", err, e.selected)
	}
}

// TestCertificatesAgain checks that a second call returns what is on the card and
// reads no certificate twice.
func TestCertificatesAgain(t *testing.T) {
	p := newPKI(t)
	d := knowing(t, p)
	for _, name := range []string{"revoked", "valid"} {
		e := &edited{line: connect(t, p.Cards[name])}
		card, err := d.Open(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		var ders [3][]byte
		var sent [3]int
		for i := range ders {
			certs, err := card.AuthenticationCertificates(t.Context())
			if err != nil || len(certs) != 1 {
				t.Fatal(certs, err)
			}
			ders[i], sent[i] = certs[0].DER, len(e.sent)
		}
		if !e.has(fileKeys) || !bytes.Equal(ders[0], ders[1]) || sent[2] != sent[1] {
			t.Errorf("%s: selected %v, commands %v", name, e.selected, sent)
		}
		if n := strings.Count(strings.Join(e.selected, " "), fileCertificate); n != 1 {
			t.Errorf("%s: its certificate was selected %d times", name, n)
		}
		card.Close()
	}
}

// undated returns a card without a date of its last change.
func undated(t *testing.T, card *cardsim.Card) *cardsim.Card {
	t.Helper()
	image := card.Image()
	image.Updated = time.Time{}
	return personalised(t, image)
}

// TestUndatedCard checks that a card without a date of its last change is recognised
// by its PINs and the beginning of its certificate.
func TestUndatedCard(t *testing.T) {
	p := newPKI(t)
	for name, c := range map[string]struct {
		card  *cardsim.Card
		files map[string]string
		most  int // commands
		known bool
	}{
		"unchanged":              {undated(t, p.Cards["valid"]), nil, 12, true},
		"with a new PIN":         {undated(t, p.Cards["valid"]), map[string]string{filePINs: "0C0350494E=0C0350494D"}, 31, false},
		"with a new certificate": {undated(t, reissued(t, p, "valid", 0x95)), nil, 31, false},
	} {
		d := caching(t, disk{})
		for range 2 {
			visitWith(t, d, connect(t, undated(t, p.Cards["valid"])), testpki.PIN)
		}
		e := &edited{line: connect(t, c.card), files: c.files}
		want := c.card.Image().Keys["authentication"].Certificate
		if der, err := tryVisitBy(t, d, e); err != nil || !bytes.Equal(der, want) {
			t.Errorf("%s: another certificate, %v", name, err)
		}
		if e.has(fileKeys) == c.known || len(e.sent) > c.most || e.typed != 1 {
			t.Errorf("%s: %d commands, selected %v", name, len(e.sent), e.selected)
		}
	}
}

// TestPulledOfKnownKind removes a new card of a known kind at each command. The visit
// must end there.
func TestPulledOfKnownKind(t *testing.T) {
	p := newPKI(t)
	d := knowing(t, p)
	for at := 1; ; at++ {
		l := connect(t, p.Cards["revoked"])
		l.after = func(n int, _, response []byte) ([]byte, error) {
			if n >= at {
				return nil, fmt.Errorf("line: %w", slot.ErrNoCard)
			}
			return response, nil
		}
		_, err := tryVisit(t, d, l, testpki.PIN)
		if err == nil {
			if at < 17 {
				t.Errorf("a visit of %d commands", at-1)
			}
			return
		}
		if !errors.Is(err, slot.ErrNoCard) || len(l.sent) != at {
			t.Errorf("pulled at %d: %d commands, %v", at, len(l.sent), err)
		}
	}
}

// TestKindsAreBounded checks the limit on kinds, in memory and stored.
func TestKindsAreBounded(t *testing.T) {
	p := newPKI(t)
	keep := disk{}
	d := caching(t, keep)
	for n := range 40 {
		l := connect(t, p.Cards["valid"])
		visitWith(t, d, &line{Conn: otherATR{l, byte(n)}}, testpki.PIN)
	}
	if n := kept(keep, "kind-"); n != 32 {
		t.Errorf("%d kinds are kept", n)
	}
	for n := range 40 {
		keep[fmt.Sprint("kind-", n)] = []byte{1}
	}
	caching(t, keep)
	if n := kept(keep, "kind-"); n != 32 {
		t.Errorf("%d kinds are kept, of which some cannot be opened", n)
	}
}

func kept(keep disk, prefix string) (n int) {
	for id := range keep {
		if strings.HasPrefix(id, prefix) {
			n++
		}
	}
	return n
}

// otherATR is a card with another answer to reset.
type otherATR struct {
	slot.Conn
	n byte
}

func (o otherATR) ATR() []byte { return []byte{0x3B, 0x01, o.n} }
