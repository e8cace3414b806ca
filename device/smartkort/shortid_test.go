package smartkort_test

import (
	"bytes"
	"testing"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/smartkort"
)

// TestShortIDs: whatever a card answers to a short EF identifier, the driver reads
// the right files.
func TestShortIDs(t *testing.T) {
	p := newPKI(t)
	certificate := p.Holders["valid"].Authentication.Certificate.Raw
	for name, odd := range map[string][]byte{
		"file not found":      {0x6A, 0x82},
		"wrong P1-P2":         {0x6A, 0x86},
		"wrong offset":        {0x6B, 0x00},
		"wrong length":        {0x67, 0x00},
		"unknown instruction": {0x6D, 0x00},
		"no current file":     {0x69, 0x86},
		"no data":             {0x90, 0x00},
		"end of file":         {0x62, 0x82},
		"padding":             {0x00, 0x00, 0x00, 0x90, 0x00},
		"an endless object":   {0x30, 0x84, 0x7F, 0xFF, 0xFF, 0xFF, 0x90, 0x00},
		"another file":        append(certificate[:200:200], 0x90, 0x00),
	} {
		for _, ids := range [][]byte{{0x91}, {0x92}, {0x91, 0x92}} {
			l := connect(t, p.Cards["valid"])
			asked := 0
			l.after = func(_ int, command, response []byte) ([]byte, error) {
				if command[1] == 0xB0 && bytes.IndexByte(ids, command[2]) >= 0 {
					asked++
					return odd, nil
				}
				return response, nil
			}
			card, err := smartkort.Driver{}.Open(t.Context(), l)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			certs, err := card.AuthenticationCertificates(t.Context())
			if err != nil || len(certs) != 1 || !bytes.Equal(certs[0].DER, certificate) || asked != 1 {
				t.Errorf("%s, %X: %d certificates, asked %d times, %v", name, ids, len(certs), asked, err)
			}
			if card.TokenInfo().Label != "Smartkort (software)" {
				t.Errorf("%s, %X: TokenInfo %+v", name, ids, card.TokenInfo())
			}
		}
	}
}

// TestDirectoryHead: the driver reads the beginning of the certificate directory
// when it describes all certificates for authentication, and the whole directory
// when it does not, when all certificates are wanted, or when the caller could use
// none of the first ones.
func TestDirectoryHead(t *testing.T) {
	k := newKinds(t)[cardsim.Mixed] // the qualified certificate is behind those of the company
	card, err := smartkort.Driver{}.Open(t.Context(), connect(t, k.Card))
	if err != nil {
		t.Fatal(err)
	}
	if certs, err := card.AuthenticationCertificates(t.Context()); err != nil || len(certs) != 3 {
		t.Errorf("%d certificates, %v", len(certs), err)
	}

	p := newPKI(t)
	card, l := openHead(t, p)
	if read := readIn(l, certificateDirectory); read != 1 {
		t.Errorf("read the directory with %d commands", read)
	}
	if all, err := card.Certificates(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("%d certificates, %v", len(all), err)
	}

	card, l = openHead(t, p)
	if certs, err := card.AuthenticationCertificates(t.Context()); err != nil || len(certs) != 1 || readIn(l, certificateDirectory) != 3 {
		t.Errorf("the second time: %d certificates, %v, read with %d commands", len(certs), err, readIn(l, certificateDirectory))
	}

	// A visit whose certificate came from the head of the directory is remembered.
	d := caching(t, nil)
	first := visitWith(t, d, connect(t, p.Cards["valid"]), testpki.PIN)
	again := connect(t, p.Cards["valid"])
	if der := visitWith(t, d, again, testpki.PIN); !bytes.Equal(der, first) || len(again.sent) != 7 {
		t.Errorf("the card again: %d commands", len(again.sent))
	}
}

// openHead opens a Smartkort and asks for its certificates once.
func openHead(t *testing.T, p *testpki.PKI) (*smartkort.Card, *line) {
	t.Helper()
	l := connect(t, p.Cards["valid"])
	card, err := smartkort.Driver{}.Open(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if certs, err := card.AuthenticationCertificates(t.Context()); err != nil || len(certs) != 1 {
		t.Fatalf("%d certificates, %v", len(certs), err)
	}
	return card, l
}

// readIn counts the READ BINARY commands after a file was selected.
func readIn(l *line, file []byte) (n int) {
	in := false
	for _, c := range l.sent {
		if c[1] == 0xA4 {
			in = bytes.HasSuffix(c, file)
		}
		if in && c[1] == 0xB0 {
			n++
		}
	}
	return n
}

var certificateDirectory = []byte{0x44, 0x03}
