package cardsim_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
)

// shared is created once, because that takes long.
var shared = sync.OnceValues(func() (*testpki.PKI, error) { return testpki.New(time.Now()) })

// newPKI returns a PKI with cards that a test may change.
func newPKI(t testing.TB) *testpki.PKI {
	t.Helper()
	p, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	fresh := *p
	fresh.Cards = make(map[string]*cardsim.Card)
	for name, card := range p.Cards {
		if fresh.Cards[name], err = cardsim.New(card.Image()); err != nil {
			t.Fatal(err)
		}
	}
	return &fresh
}

// step is a command and the expected response, in hex with optional spaces, and a
// comment. "…" in the response matches any bytes.
type step struct{ command, response, comment string }

func play(t *testing.T, c *cardsim.Card, steps []step) {
	t.Helper()
	for i, s := range steps {
		command, err := hex.DecodeString(strings.ReplaceAll(s.command, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		got := hex.EncodeToString(c.Transmit(command))
		want := strings.ToLower(strings.ReplaceAll(s.response, " ", ""))
		before, after, open := strings.Cut(want, "…")
		if got != want && !(open && strings.HasPrefix(got, before) && strings.HasSuffix(got, after)) {
			t.Fatalf("step %d, %s:\n  > %s\n  < %s\nwant %s", i, s.comment, s.command, got, want)
		}
	}
}

const (
	rightPIN = "31323334 FFFFFFFF"
	wrongPIN = "30303030 FFFFFFFF"
	newPIN   = "35363738 FFFFFFFF"
	rightPUK = "3132333435363738"
	wrongPUK = "3030303030303030"
)

// TestKnownCommands checks what is known of real cards (SMARTKORT.md §1).
func TestKnownCommands(t *testing.T) {
	c := newPKI(t).Cards["valid"]
	if atr := hex.EncodeToString(c.PowerOn()); atr != "3b9f96400a8031e06b04200502105555"+"55555555" {
		t.Errorf("ATR %s", atr)
	}
	play(t, c, []step{
		{"00 A4 00 00 02 3F00", "9000", "SELECT MF"},
		{"A0 20 00 82 08" + wrongPIN, "63C2", "VERIFY, wrong"},
		{"A0 20 00 82 08" + rightPIN, "9000", "VERIFY, right"},
		{"00 A4 04 00 0C A000000063504B43532D3135", "611A", "SELECT the application"},
		{"00 C0 00 00 1A", "6F18 820138 83025015 840CA000000063504B43532D3135 8A0105 9000", "GET RESPONSE"},
	})
}

func TestPINLife(t *testing.T) {
	for name, steps := range map[string][]step{
		"blocked by three wrong ones": {
			{"00 20 00 82", "63C3", "tries left"},
			{"00 20 00 82 08" + wrongPIN, "63C2", "first"},
			{"00 20 00 82 00", "63C2", "tries left, P3 = 0"},
			{"00 20 00 82 08" + wrongPIN, "63C1", "second"},
			{"00 20 00 82 08" + wrongPIN, "63C0", "third"},
			{"00 20 00 82 08" + rightPIN, "6983", "too late"},
			{"00 20 00 82", "6983", "tries left"},
			{"00 2C 00 82 10" + wrongPUK + newPIN, "63C2", "unblock, wrong PUK"},
			{"00 2C 00 82 10" + rightPUK + "3536 FFFFFFFFFFFF", "6A80", "unblock, PIN too short"},
			{"00 2C 00 82 10" + rightPUK + newPIN, "9000", "unblock"},
			{"00 20 00 82", "63C3", "tries are back, nothing verified"},
			{"00 20 00 82 08" + rightPIN, "63C2", "the old PIN"},
			{"00 20 00 82 08" + newPIN, "9000", "the new PIN"},
			{"00 20 00 82", "9000", "verified"},
		},
		"the right one gives the tries back": {
			{"00 20 00 82 08" + wrongPIN, "63C2", "first"},
			{"00 20 00 82 08" + rightPIN, "9000", "right"},
			{"00 20 00 82 08" + wrongPIN, "63C2", "first again, and no longer verified"},
			{"00 20 00 82", "63C2", "tries left"},
		},
		"changed": {
			{"00 24 00 82 10" + wrongPIN + newPIN, "63C2", "wrong old PIN"},
			{"00 24 00 82 10" + rightPIN + "3536373839FFFFFF", "6A80", "new PIN too long"},
			{"00 24 00 82 10" + rightPIN + "353637FF38FFFFFF", "6A80", "new PIN with padding inside"},
			{"A0 24 00 82 10" + rightPIN + newPIN, "9000", "changed, class A0"},
			{"00 20 00 82 08" + rightPIN, "63C2", "the old PIN"},
			{"00 20 00 82 08" + newPIN, "9000", "the new PIN"},
		},
		"PUK blocked": {
			{"00 2C 00 82 10" + wrongPUK + newPIN, "63C2", "first"},
			{"00 2C 00 82 10" + wrongPUK + newPIN, "63C1", "second"},
			{"00 2C 00 82 10" + wrongPUK + newPIN, "63C0", "third"},
			{"00 2C 00 82 10" + rightPUK + newPIN, "6983", "too late"},
			{"00 20 00 83", "6983", "tries left of the PUK"},
			{"00 20 00 82 08" + rightPIN, "9000", "the PIN is as it was"},
		},
		"spend no try": {
			{"00 20 00 82 04 31323334", "6700", "without padding"},
			{"00 20 00 84 08" + rightPIN, "6A88", "another reference"},
			{"00 20 01 82 08" + rightPIN, "6A86", "P1"},
			{"80 20 00 82 08" + rightPIN, "6E00", "class"},
			{"00 24 00 82 08" + rightPIN, "6700", "change without a new PIN"},
			{"00 24 01 82 10" + rightPIN + newPIN, "6A86", "change, P1"},
			{"00 24 00 84 10" + rightPIN + newPIN, "6A88", "change, another reference"},
			{"00 2C 00 82 08" + rightPUK, "6700", "unblock without a new PIN"},
			{"00 2C 01 82 10" + rightPUK + newPIN, "6A86", "unblock, P1"},
			{"00 2C 00 83 10" + rightPUK + rightPUK, "6A88", "unblock the PUK"},
			{"00 20 00 82", "63C3", "all are left"},
			{"00 20 00 83", "63C3", "of the PUK, too"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newPKI(t).Cards["valid"]
			c.PowerOn()
			play(t, c, steps)
		})
	}
}

func TestPowerForgetsWhatIsVerified(t *testing.T) {
	c := newPKI(t).Cards["valid"]
	c.PowerOn()
	play(t, c, []step{
		{"00 20 00 82 08" + wrongPIN, "63C2", "one try spent"},
		{"00 20 00 83 08" + rightPUK, "9000", "PUK verified"},
		{"00 A4 08 00 04 50155032", "6110", "SELECT, FCI waits"},
	})
	c.PowerOff()
	if got := c.Transmit([]byte{0, 0xC0, 0, 0, 0x16}); got != nil {
		t.Errorf("card without power answered %X", got)
	}
	c.PowerOn()
	play(t, c, []step{
		{"00 C0 00 00 10", "6985", "nothing waits"},
		{"00 B0 00 00 01", "6986", "no file is selected"},
		{"00 20 00 82", "63C2", "the try stays spent"},
		{"00 20 00 83", "63C3", "PUK not verified"},
	})
}

// TestTransport checks the rules of T=0 (ISO 7816-3 §10.3, 7816-4 §5.6.4).
func TestTransport(t *testing.T) {
	c := newPKI(t).Cards["valid"]
	c.PowerOn()
	play(t, c, []step{
		{"00 A4 00", "6700", "no header"},
		{"00 A4 04 00 0C A0000000", "6700", "less data than P3"},
		{"00 A4 00 0C 02 3F00 00", "6700", "Le has no place after data"},
		{"00 FE 00 00 00", "6D00", "unknown instruction"},
		{"A0 A4 00 00 02 3F00", "6E00", "class A0 is for PINs"},
		{"10 A4 00 00 02 3F00", "6E00", "no chaining"},
		{"00 A4 08 00 04 50155031", "6110", "SELECT ODF"},
		{"00 C0 00 00 00", "6C10", "GET RESPONSE, too much asked for"},
		{"00 C0 00 00 02", "6F0E 610E", "the first bytes"},
		{"00 C0 00 00 0E", "…9000", "the others"},
		{"00 C0 00 00 01", "6985", "no more"},
		{"00 A4 08 00 04 50155031", "6110", "SELECT ODF"},
		{"00 B0 00 00 00", "6C30", "READ BINARY, too much asked for; the FCI is forgotten"},
		{"00 B0 00 00 30", "A0…9000", "READ BINARY"},
		{"00 B0 00 2F 02", "6C01", "one byte left"},
		{"00 B0 00 30 01", "6B00", "behind the end"},
		{"00 C0 00 00 10", "6985", "the FCI is forgotten"},
		{"00 C0 01 00 10", "6A86", "GET RESPONSE, P1"},
		{"00 B0 00 00 01 00", "6700", "READ BINARY with data"},
	})
}

// TestSelect selects a file in each possible way (ISO 7816-4 §11.2.2).
func TestSelect(t *testing.T) {
	c := newPKI(t).Cards["valid"]
	c.PowerOn()
	play(t, c, []step{
		{"00 A4 04 0C 05 A000000063", "9000", "the beginning of an AID"},
		{"00 A4 02 0C 02 5032", "9000", "EF under the DF"},
		{"00 B0 00 00 01", "309000", "is TokenInfo"},
		{"00 A4 00 0C 02 5031", "9000", "its sibling"},
		{"00 B0 00 00 01", "A09000", "is ODF"},
		{"00 A4 00 0C 02 3FFF", "9000", "the current DF"},
		{"00 A4 09 0C 02 5032", "9000", "path from the current DF"},
		{"00 A4 03 04", "9000", "parent: the MF, which has no FCP"},
		{"00 A4 01 04 02 5015", "611A", "DF under the MF"},
		{"00 C0 00 00 1A", "62…9000", "its FCP"},
		{"00 A4 00 0C", "9000", "the MF by no data"},
		{"00 A4 00 0C 02 2F00", "9000", "EF.DIR"},
		{"00 A4 01 0C 02 2F00", "6A82", "is no DF"},
		{"00 A4 02 0C 02 5015", "6A82", "is no EF"},
		{"00 A4 00 0C 03 3F0050", "6A82", "half an identifier"},
		{"00 A4 08 0C 05 5015503100", "6A82", "half an identifier in a path"},
		{"00 A4 04 0C 02 A001", "6A82", "another AID"},
		{"00 A4 04 0C", "6A80", "no AID"},
		{"00 A4 03 0C", "6A82", "the MF has no parent"},
		{"00 A4 05 0C", "6A86", "P1"},
		{"00 A4 00 01 02 3F00", "6A86", "P2"},
		{"00 B0 82 00 01", "6A82", "short file identifier"},
	})
}

// TestSignature verifies the card's signature with the certificate's key.
func TestSignature(t *testing.T) {
	p := newPKI(t)
	c := p.Cards["valid"]
	c.PowerOn()
	digest := sha256.Sum256([]byte("message"))
	info := fmt.Sprintf("3031300d060960864801650304020105000420%x", digest)
	play(t, c, []step{
		{"00 2A 9E 9A 33" + info, "6985", "no key chosen"},
		{"00 22 41 B6 06 800102 840101", "9000", "MSE SET, authentication"},
		{"00 2A 9E 9A 33" + info, "6982", "no PIN"},
		{"00 20 00 82 08" + rightPIN, "9000", "VERIFY"},
		{"00 2A 9E 9A 20" + fmt.Sprintf("%x", digest), "6A80", "bare hash"},
		{"00 2A 9E 9A 34" + info + "00", "6A80", "something behind"},
		{"00 2A 80 86 33" + info, "6A86", "another operation"},
		{"00 2A 9E 9A 33" + info, "6100", "COMPUTE DIGITAL SIGNATURE"},
	})
	signature, ok := bytes.CutSuffix(c.Transmit([]byte{0, 0xC0, 0, 0, 0}), []byte{0x90, 0x00})
	if !ok {
		t.Fatal("GET RESPONSE failed")
	}
	holder := p.Holders["valid"]
	if err := rsa.VerifyPKCS1v15(&holder.Authentication.Key.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
		t.Error(err)
	}
	play(t, c, []step{
		{"00 22 41 B6 06 800103 840101", "6A88", "MSE SET, another algorithm"},
		{"00 2A 9E 9A 33" + info, "6985", "no key chosen any more"},
		{"00 22 41 B6 03 840103", "6A88", "another key"},
		{"00 22 41 B6 03 800102", "6A80", "no key"},
		{"00 22 41 B6 03 990101", "6A80", "another object"},
		{"00 22 41 B6 03 840201", "6A80", "length beyond the end"},
		{"00 22 41 B8 03 840101", "6A86", "another template"},
		{"00 22 41 B6 07 81025015 830102", "9000", "MSE SET, signature"},
		{"00 2A 9E 9A 33" + info, "6100", "COMPUTE DIGITAL SIGNATURE"},
	})
	signature, _ = bytes.CutSuffix(c.Transmit([]byte{0, 0xC0, 0, 0, 0}), []byte{0x90, 0x00})
	if err := rsa.VerifyPKCS1v15(&holder.Signature.Key.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
		t.Error(err)
	}
}

// TestSpecialCards checks the cards that differ in more than their certificates.
func TestSpecialCards(t *testing.T) {
	p := newPKI(t)
	if atr := p.Cards["mute"].PowerOn(); atr != nil {
		t.Errorf("mute card answered to reset: %X", atr)
	}
	if got := p.Cards["mute"].Transmit([]byte{0, 0xA4, 0, 0}); got != nil {
		t.Errorf("mute card answered %X", got)
	}
	p.Cards["blocked"].PowerOn()
	play(t, p.Cards["blocked"], []step{{"00 20 00 82", "6983", "tries left"}})
	p.Cards["sign-only"].PowerOn()
	play(t, p.Cards["sign-only"], []step{
		{"00 22 41 B6 03 840101", "6A88", "no authentication key"},
		{"00 22 41 B6 03 840102", "9000", "signature key"},
		{"00 A4 08 0C 04 50154501", "6A82", "no authentication certificate"},
		{"00 A4 08 0C 04 50154502", "9000", "signature certificate"},
	})
}
