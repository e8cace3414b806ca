package smartkort_test

import (
	"bytes"
	"crypto"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/apdutest"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

var record = flag.Bool("record", false, "write testdata/kinds again, from the software cards")

// aboutKinds has the first lines of each script.
var aboutKinds = map[string]string{
	cardsim.Smartkort: "A Smartkort: absolute paths into the application; VERIFY in class A0.",
	cardsim.TwoPIN:    "Two PINs; directories padded with FF; the RSA key, which comes in the directory\n# before the others, takes a whole block, chained as 255 + 1.",
	cardsim.NoAID:     "No AID and no EF.DIR: found under 3F00/5015; relative paths, padded with 00; a\n# PIN for the whole card; the key takes the bare hash. Its answer to reset has\n# the Smartkort's form, so class A0 is tried first, and refused.",
	cardsim.Applet:    "Behind the AID of an applet, in which it is found by EF.DIR; PINs padded with 00\n# to 16 bytes.",
	cardsim.T1:        "T=1 with extended length: no GET RESPONSE, no wrong Le; a PIN in BCD; RSA of\n# 3072 bits, whose signature comes in one piece, as the\n# rest of a certificate does.",
	cardsim.Mixed:     "A Smartkort with a company's certificates before the qualified ones: all that\n# are for authentication are read, so that they can be chosen from.",
}

// aboutVisits has the next lines of the script, in the order of the visits.
var aboutVisits = []struct{ suffix, about string }{
	{"", ""},
	{"-again", "# The card was here before.\n"},
	{"-other", "# Another card of the kind was here before.\n"},
}

// TestKindsByScript makes a first and a repeated visit with each kind of card, and
// then one with another Smartkort. The scripts in testdata/kinds explain every
// command.
func TestKindsByScript(t *testing.T) {
	if *record {
		recordKinds(t)
	}
	for kind := range aboutKinds {
		t.Run(kind, func(t *testing.T) {
			d := caching(t, nil)
			visit := func(suffix string) []byte {
				return playVisit(t, d, kind, apdutest.Load(t, filepath.Join("testdata/kinds", kind+suffix+".txt")))
			}
			if first := visit(""); !bytes.Equal(first, visit("-again")) {
				t.Error("another certificate the second time")
			}
			if kind == cardsim.Smartkort {
				visit("-other")
			}
		})
	}
}

// playVisit authenticates with the last certificate, which is the qualified RSA or EC
// one, and returns it.
func playVisit(t *testing.T, d smartkort.Driver, kind string, conn slot.Conn) []byte {
	t.Helper()
	card, err := d.Open(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	defer card.Close()
	certs, err := card.AuthenticationCertificates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := certs[len(certs)-1]
	if n, known, err := card.PINTries(t.Context(), c); n != testpki.Tries || !known || err != nil {
		t.Errorf("%d tries, %v, %v", n, known, err)
	}
	if err := card.VerifyPIN(t.Context(), c, []byte(pinOf(kind, c))); err != nil {
		t.Fatal(err)
	}
	signer, err := card.Signer(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Sign(nil, make([]byte, 32), crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	return c.DER
}

func recordKinds(t *testing.T) {
	kinds := newKinds(t)
	p := newPKI(t)
	kinds[cardsim.Smartkort] = testpki.Kind{Card: p.Cards["valid"]}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		d := caching(t, nil)
		for _, visit := range aboutVisits {
			card := kinds[kind].Card
			if visit.suffix == "-other" {
				if kind != cardsim.Smartkort {
					continue
				}
				card = p.Cards["revoked"]
			}
			l := connect(t, card)
			w := writer{kind: kind}
			fmt.Fprintf(&w, "# %s\n%s", aboutKinds[kind], visit.about)
			fmt.Fprintf(&w, "\natr % X\n", l.ATR())
			l.after = func(_ int, command, response []byte) ([]byte, error) {
				w.step(command, response)
				return response, nil
			}
			playVisit(t, d, kind, l)
			if err := os.WriteFile(filepath.Join("testdata/kinds", kind+visit.suffix+".txt"), []byte(w.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// writer writes a script that says what each command is for.
type writer struct {
	strings.Builder
	kind string
	file string
	last apdu.Status
}

func (w *writer) step(command, response []byte) {
	c, err := apdu.Parse(command)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(w, "\n> % X  # %s\n< % X\n", command, w.about(c), response)
	r, _ := apdu.ParseResponse(response)
	w.last = r.SW
}

func (w *writer) about(c apdu.Command) string {
	switch c.INS {
	case 0xA4:
		w.file = w.name(c)
		return "select " + w.file
	case 0xB0:
		if _, told := w.last.RightLe(); told {
			return fmt.Sprintf("as told, its %d bytes", c.Le)
		}
		if c.P1&0x80 != 0 {
			w.file = map[byte]string{0x91: "EF.OD", 0x92: "EF.TokenInfo"}[c.P1]
			return "read " + w.file + " by its short identifier"
		}
		if offset := int(c.P1)<<8 | int(c.P2); offset > 0 {
			return fmt.Sprintf("%d bytes more, from %d", c.Le, offset)
		}
		if c.Le < apdu.MaxShortLe {
			return fmt.Sprintf("read EF.TokenInfo, which had %d bytes on the card before", c.Le)
		}
		return "read " + w.file
	case 0xC0:
		return "fetch what waits"
	case 0x20:
		switch {
		case len(c.Data) == 0:
			return "ask for the tries left, which spends none"
		case c.CLA != 0:
			return fmt.Sprintf("verify the PIN, in class %02X", c.CLA)
		}
		return "verify the PIN"
	case 0x22:
		return "choose the key, and the algorithm where the card numbers it"
	case 0x2A:
		switch {
		case c.CLA == 0x10:
			return "sign a whole block: its first 255 bytes"
		case len(c.Data) == 1:
			return "its last byte; the signature is wanted"
		case len(c.Data) == 32:
			return "sign the hash"
		}
		return "sign the DigestInfo"
	}
	return "?"
}

func (w *writer) name(c apdu.Command) string {
	id := fmt.Sprintf("%X", c.Data)
	roles := map[string]string{
		"3F00": "the MF", "2F00": "EF.DIR", "5031": "EF.OD", "5032": "EF.TokenInfo",
		"5015": "the application by its path", "50155032": "application and EF.TokenInfo, where the card before had them",
		"A000000063504B43532D3135": "the application by the AID of the standard", "F276A288BCFBA69D34F31001": "the applet",
		"4401": "the PIN directory", "4402": "the private key directory", "4403": "the certificate directory",
	}
	if w.kind == cardsim.TwoPIN || w.kind == cardsim.NoAID {
		roles["4400"], roles["4401"], roles["4402"] = "the PIN directory", "the private key directory", "the certificate directory"
	}
	if role, ok := roles[id]; ok {
		return role
	}
	return "the certificate"
}
