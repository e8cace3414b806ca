//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
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

// TestCardsInWords: what is special about a card is said of it.
func TestCardsInWords(t *testing.T) {
	kinds := newKinds(t)
	for kind, wants := range map[string][]string{
		cardsim.TwoPIN: {
			`Key          "Signature" (ID 02), EC, reference 92, signs documents, guarded by "Signature PIN", which is asked for each signature`,
			"key EC P-384, reference 92", "says that it can do command chaining\n",
			"Verdict      nothing wrong that the card shows; --trust FILE tells whether a kiosk takes it\n",
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

// answering is a slot whose card answers all commands alike.
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

// TestUnreadableCard: of a card that cannot be read, what can be told of it is
// told, and what may help; the status is that of a failure.
func TestUnreadableCard(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer []byte
		err    error
		want   error
		advice string
	}{
		{"a bank card", []byte{0x6A, 0x82}, nil, smartkort.ErrUnknownCard, "no application by ISO 7816-15"},
		{"a passport", []byte{0x69, 0x87}, nil, smartkort.ErrSecureMessaging, "secure messaging"},
		{"pulled", nil, slot.ErrNoCard, slot.ErrNoCard, "leave it in"},
		{"garbage", []byte{0x12}, nil, nil, "the holder shows it to its issuer"},
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

// TestInactiveCardInWords: the technician is told what its holder has to do,
// where the profile says how an inactive card answers, and what may be so where
// it does not.
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
