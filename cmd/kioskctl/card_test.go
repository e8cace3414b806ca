//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

func TestCardInWords(t *testing.T) {
	p := newPKI(t)
	b := newBench(p.Cards["blocked"], "")
	if err := b.run(t.Context(), []string{"card"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Verdict      something is wrong\nAdvice       ",
		"Spoken to    by profile buypass (Buypass Smartkort); application found by AID of the standard\n",
		"Not public   how to change the PIN",
		"             offers T=0, 16 clocks a bit at the fastest; historical bytes 80",
		`PIN          "PIN", reference 82, 4 digits: blocked`,
		`PUK          "PUK", reference 83, 8 digits: 3 tries left`,
		`Certificate  "Authentication" (ID 45): `,
		"             for digitalSignature, keyEncipherment\n",
		"             key RSA 2048 bits, reference 01\n",
		`Key          "Signature" (ID 46), RSA 2048 bits, reference 02, signs documents, guarded by "PIN"`,
		`Authority    "Authority": `,
		`Advice       "PIN" is blocked: the holder unblocks it with the PUK`,
		"             for nonRepudiation\n",
	} {
		if !strings.Contains(b.stdout.String(), want) {
			t.Errorf("no %q in:\n%s", want, b.stdout.String())
		}
	}
}

func TestCardJSON(t *testing.T) {
	p := newPKI(t)
	b := newBench(p.Cards["valid"], "")
	if err := b.run(t.Context(), []string{"card", "--json"}); err != nil {
		t.Fatal(err)
	}
	var r cardReport
	if err := json.Unmarshal(b.stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.Reader != "Software slot" || len(r.PINs) != 2 || r.PINs[0].Tries == nil || *r.PINs[0].Tries != 3 || len(r.Certificates) != 2 {
		t.Errorf("%+v", r)
	}
	if c := r.Certificates[0]; c.ID != "45" || c.Usage[0] != "digitalSignature" || c.Key != "RSA 2048 bits" || c.NotAfter.Before(time.Now()) {
		t.Errorf("%+v", c)
	}
}

// TestCardsInWords checks that the text mentions what is special about each card.
func TestCardsInWords(t *testing.T) {
	kinds := newKinds(t)
	for kind, wants := range map[string][]string{
		cardsim.TwoPIN: {
			`Key          "Signature" (ID 02), EC, reference 92, signs documents, guarded by "Signature PIN", which is asked for each signature`,
			"key EC P-384, reference 92", "says that it can do command chaining\n",
			"Verdict      no fault found; --sign proves that the card signs, and --trust FILE tells whether a kiosk accepts it\n",
		},
		cardsim.T1:     {"offers T=1, 372 clocks a bit at the fastest", "says that it can do extended length\n", "6 digits: 3 tries left"},
		cardsim.Applet: {"found by path in EF.DIR, in an applet\n", "4 to 16 digits"},
	} {
		b := newBench(kinds[kind].Card, "")
		if err := b.run(t.Context(), []string{"card"}); err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(b.stdout.String(), want) {
				t.Errorf("%s: no %q in:\n%s", kind, want, b.stdout.String())
			}
		}
		if !regexp.MustCompile(`last changed \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n`).MatchString(b.stdout.String()) {
			t.Errorf("%s: when it was changed: %s", kind, b.stdout.String())
		}
	}
}

// answering is a slot whose card answers every command with the same bytes.
type answering struct {
	*cardsim.Slot
	answer []byte
	err    error
}

func (s answering) Connect(ctx context.Context) (slot.Conn, error) {
	conn, err := s.Slot.Connect(ctx)
	return answeringConn{conn, s}, err
}

type answeringConn struct {
	slot.Conn
	slot answering
}

func (c answeringConn) Transmit(context.Context, []byte) ([]byte, error) {
	return c.slot.answer, c.slot.err
}

// TestUnreadableCard checks that, for a card that cannot be read, the known facts and
// advice are printed, and that the exit status is that of a failure.
func TestUnreadableCard(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer []byte
		err    error
		want   error
		advice string
	}{
		{"a bank card", []byte{0x6A, 0x82}, nil, smartkort.ErrUnknownCard, "has no ISO 7816-15 application"},
		{"a passport", []byte{0x69, 0x87}, nil, smartkort.ErrSecureMessaging, "requires secure messaging"},
		{"pulled", nil, slot.ErrNoCard, slot.ErrNoCard, "leave it in"},
		{"garbage", []byte{0x12}, nil, nil, "the holder should contact its issuer"},
	} {
		b := newBench(newPKI(t).Cards["valid"], "")
		b.program.slot = answering{b.slot, c.answer, c.err}
		if err := b.run(t.Context(), []string{"card"}); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, want := range []string{
			"Reader       Software slot\nVerdict      no kiosk can use this card: it cannot be read\nAdvice       ", c.advice,
			"ATR          3b9f", "by profile buypass (Buypass Smartkort); no application found\n", "Not public ",
		} {
			if !strings.Contains(b.stdout.String(), want) {
				t.Errorf("%s: no %q in:\n%s", c.name, want, b.stdout.String())
			}
		}
	}
}

// TestInactiveCardInWords checks that the technician is told what the holder must do,
// if the profile says how an inactive card answers. If it does not say so, the possible
// reason is printed.
func TestInactiveCardInWords(t *testing.T) {
	for args, wants := range map[string][]string{
		"card --profiles testdata/profiles": {"4 digits: not active\n", "Advice       \"PIN\" is not active: the holder activates the card"},
		"card": {"the card does not tell the tries left, but answers SW 6984 (reference data not usable)\n",
			"Advice       \"PIN\" cannot be used as it is: if the card is new"},
	} {
		b := newBench(newPKI(t).Cards["inactive"], "")
		if err := b.run(t.Context(), strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(b.stdout.String(), want) {
				t.Errorf("%s: no %q in:\n%s", args, want, b.stdout.String())
			}
		}
	}
}

// TestCardSigns checks that only a card that has signed is reported to be in order.
func TestCardSigns(t *testing.T) {
	p := newPKI(t)
	kinds := newKinds(t)
	lying := p.Cards["valid"]
	lying.TurnEvil(cardsim.WrongSignature)
	for _, c := range []struct {
		name  string
		card  *cardsim.Card
		stdin string
		want  string // a part of the verdict
		fails bool
		signs string // a part of the signature recipe
	}{
		{"Smartkort", newPKI(t).Cards["valid"], "1234\n", "the card signs; --trust", false, "rsa-pkcs1: digest-info, algorithm 02"},
		{"IsoApplet", kinds[cardsim.IsoApplet].Card, "1234\n", "the card signs; --trust", false, "rsa-pkcs1: digest-info, algorithm 11"},
		{"OsEID", kinds[cardsim.OsEID].Card, "1234\n", "the card signs; --trust", false, "rsa-pkcs1: block, algorithm 00, key by selected-file"},
		{"two PINs", kinds[cardsim.TwoPIN].Card, "1234\n", "the card signs; --trust", false, "ecdsa: hash, algorithm 21"},
		{"T=1", kinds[cardsim.T1].Card, "123456\n", "the card signs; --trust", false, "rsa-pkcs1: digest-info"},
		{"wrong PIN", newPKI(t).Cards["revoked"], "9999\n", "the card did not sign: wrong PIN, 2 tries left", true, ""},
		{"PIN too long", newPKI(t).Cards["hsm"], "123456789\n", "the card did not sign: cannot verify PIN: PIN has the wrong form", true, ""},
		{"wrong signatures", lying, "1234\n", "the card did not sign: cannot sign", true, ""},
	} {
		b := newBench(c.card, c.stdin)
		err := b.run(t.Context(), []string{"card", "--json", "--sign"})
		var r cardReport
		if err := json.Unmarshal(b.stdout.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(r.Verdict, c.want) || (err != nil) != c.fails || r.Signing == nil || !strings.HasPrefix(r.Signing.Recipe, c.signs) {
			t.Errorf("%s: %q, %v, %+v", c.name, r.Verdict, err, r.Signing)
		}
		if secret := strings.TrimSpace(c.stdin); strings.Contains(b.stdout.String()+b.stderr.String(), secret) && len(secret) > 4 {
			t.Errorf("%s: the PIN was printed", c.name)
		}
	}
}

// TestCardInOrder: with trust domains and a signature the verdict is "in order".
func TestCardInOrder(t *testing.T) {
	p := newPKI(t)
	dir := t.TempDir()
	if err := p.Write(dir); err != nil {
		t.Fatal(err)
	}
	b := newBench(p.Cards["valid"], "1234\n")
	if err := b.run(t.Context(), []string{"card", "--sign", "--trust", filepath.Join(dir, "trust.toml")}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Verdict      in order: the card signs, and a kiosk", "Signs        with rsa-pkcs1: digest-info, algorithm 02\n"} {
		if !strings.Contains(b.stdout.String(), want) {
			t.Errorf("no %q in:\n%s", want, b.stdout.String())
		}
	}
}
