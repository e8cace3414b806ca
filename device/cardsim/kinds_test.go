package cardsim_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"smartkiosk/device/cardsim/testpki"
)

func newKinds(t testing.TB) map[string]testpki.Kind {
	t.Helper()
	kinds, err := newPKI(t).Kinds()
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}

const digestInfo = "3031300d060960864801650304020105000420"

// ask sends one command, fetches the rest of the response, and returns its data. The
// status must be 9000.
func ask(t *testing.T, send func([]byte) []byte, command string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(command, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	var data []byte
	for range 8 {
		response := send(b)
		n := len(response) - 2
		data = append(data, response[:n]...)
		switch {
		case response[n] == 0x61:
			b = []byte{0x00, 0xC0, 0x00, 0x00, response[n+1]}
		case response[n] == 0x90:
			return data
		default:
			t.Fatalf("%s: %X", command, response[n:])
		}
	}
	t.Fatalf("%s does not end", command)
	return nil
}

// TestTwoPIN signs with each key of the card, in the key's own way.
func TestTwoPIN(t *testing.T) {
	kind := newKinds(t)["two-pin"]
	c := kind.Card
	c.PowerOn()
	digest := sha256.Sum256([]byte("message"))
	hash := fmt.Sprintf("%x", digest)

	play(t, c, []step{
		{"00 22 41 B6 06 800121 840191", "9000", "MSE SET, P-256"},
		{"00 2A 9E 9A 20" + hash, "6982", "no PIN"},
		{"00 20 00 82 08 313233343536 FFFF", "9000", "VERIFY, the PIN for signatures"},
		{"00 2A 9E 9A 20" + hash, "6982", "which is another"},
		{"00 20 00 81 08" + rightPIN, "9000", "VERIFY"},
		{"00 2A 9E 9A 21 00" + hash, "6A80", "longer than the key"},
	})
	for range 2 { // one VERIFY is for any number of these
		raw := ask(t, c.Transmit, "00 2A 9E 9A 20"+hash)
		public := kind.Certificates["authentication"].PublicKey.(*ecdsa.PublicKey)
		if len(raw) != 64 || !ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])) {
			t.Errorf("P-256: %X", raw)
		}
	}

	play(t, c, []step{{"00 22 41 B6 03 840192", "9000", "MSE SET, P-384"}})
	if der := ask(t, c.Transmit, "00 2A 9E 9A 20"+hash); !ecdsa.VerifyASN1(kind.Certificates["signature"].PublicKey.(*ecdsa.PublicKey), digest[:], der) {
		t.Errorf("P-384: %X", der)
	}
	play(t, c, []step{
		{"00 2A 9E 9A 20" + hash, "6982", "user consent: the PIN again"},
		{"00 20 00 82", "63C3", "not verified any more"},
		{"00 20 00 82 08 313233343536 FFFF", "9000", "VERIFY"},
		{"00 2A 9E 9A 20" + hash, "61…", "and one more signature"},
		{"00 20 00 81", "9000", "the other PIN stays verified"},
	})

	public := kind.Certificates["authentication-rsa"].PublicKey.(*rsa.PublicKey)
	block := "0001" + strings.Repeat("ff", 256-3-51) + "00" + digestInfo + hash
	first, last := block[:510], block[510:]
	play(t, c, []step{
		{"00 22 41 B6 06 800110 840193", "9000", "MSE SET, RSA"},
		{"00 22 41 B6 06 800121 840193", "6A88", "the algorithm is another key's"},
		{"00 22 41 B6 06 800110 840193", "9000", "MSE SET, RSA"},
		{"10 2A 9E 9A FF" + first, "9000", "255 bytes, more to come"},
	})
	signature := ask(t, c.Transmit, "00 2A 9E 9A 01"+last)
	if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature); err != nil {
		t.Error(err)
	}
	play(t, c, []step{
		{"00 2A 9E 9A 33" + digestInfo + hash, "6A80", "less than a block"},
		{"10 2A 9E 9A FF" + first, "9000", "a chain"},
		{"00 20 00 81", "9000", "broken off"},
		{"00 2A 9E 9A 01" + last, "6A80", "is forgotten"},
		{"10 2A 9E 9A FF" + first, "9000", "a chain"},
		{"10 2A 9E 9A FF" + first, "9000", "of 510 bytes"},
		{"10 2A 9E 9A FF" + first, "6700", "is too long"},
		{"10 20 00 81 08" + rightPIN, "6E00", "PINs do not come in pieces"},
	})
}

// TestNoAID finds the application only by its path.
func TestNoAID(t *testing.T) {
	kind := newKinds(t)["no-aid"]
	c := kind.Card
	c.PowerOn()
	digest := sha256.Sum256([]byte("message"))
	play(t, c, []step{
		{"00 A4 04 0C 0C A000000063504B43532D3135", "6A82", "AID"},
		{"00 A4 08 0C 02 2F00", "6A82", "EF.DIR"},
		{"00 A4 08 0C 04 50155031", "9000", "EF.ODF by path"},
		{"00 B0 00 00 0A", "A006 3004 0402 4401 A406 9000", "relative paths"},
		{"00 B0 01 00 04", "00000000 9000", "filled up with 00"},
		{"A0 20 00 01 08 31323334 00000000", "6E00", "class A0"},
		{"00 20 00 01 08" + rightPIN, "63C2", "filled up with FF is wrong"},
		{"00 20 00 01 08 31323334 00000000", "9000", "VERIFY"},
		{"00 22 41 B6 06 800142 840103", "9000", "MSE SET"},
		{"00 2A 9E 9A 33" + digestInfo + fmt.Sprintf("%x", digest), "6A80", "DigestInfo"},
	})
	signature := ask(t, c.Transmit, fmt.Sprintf("00 2A 9E 9A 20 %x", digest))
	if err := rsa.VerifyPKCS1v15(kind.Certificates["authentication"].PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], signature); err != nil {
		t.Error(err)
	}
}

// TestApplet checks a card on which everything is found by the applet's AID, and which
// does not report that its PIN is blocked.
func TestApplet(t *testing.T) {
	const wrong = "30303030 000000000000000000000000"
	c := newKinds(t)["applet"].Card
	c.PowerOn()
	play(t, c, []step{
		{"00 A4 00 0C 02 3F00", "6A82", "no MF"},
		{"00 A4 04 00 0C A000000063504B43532D3135", "6A82", "no application"},
		{"00 A4 08 0C 02 2F00", "6A82", "no EF.DIR"},
		{"00 20 00 01", "6D00", "no PIN"},
		{"00 A4 04 00 0C F276A288BCFBA69D34F31001", "6103", "the applet"},
		{"00 C0 00 00 03", "000604 9000", "its greeting, no FCI"},
		{"00 A4 00 0C 02 3F00", "9000", "its MF"},
		{"00 A4 08 0C 04 50155031", "9000", "EF.ODF"},
		{"00 A4 04 00 0C A000000063504B43532D3135", "6A82", "by name there are only applets"},
		{"00 20 00 01 08" + rightPIN, "6700", "PIN of 8 bytes"},
		{"00 20 00 01 10" + wrong, "63C2", "first"},
		{"00 20 00 01 10" + wrong, "63C1", "second"},
		{"00 20 00 01 10" + wrong, "63C0", "third"},
		{"00 20 00 01 10 31323334 000000000000000000000000", "63C0", "blocked"},
		{"00 20 00 01", "63C0", "tries left"},
		{"00 2C 00 01 20 3132333435363738 0000000000000000 35363738 000000000000000000000000", "9000", "unblocked"},
		{"00 20 00 01 10 35363738 000000000000000000000000", "9000", "VERIFY"},
		{"00 A4 04 00 0C F276A288BCFBA69D34F31001", "6103", "the applet, selected again"},
		{"00 20 00 01", "63C3", "forgets what was verified"},
	})
}

// TestT1 checks the rules of T=1: whole commands, short and extended, and responses of
// the requested length.
func TestT1(t *testing.T) {
	kind := newKinds(t)["t1"]
	c := kind.Card
	if atr := c.PowerOn(); xor(atr[1:]) != 0 {
		t.Errorf("TCK of %X is wrong (ISO 7816-3 §8.2.5)", atr)
	}
	digest := sha256.Sum256([]byte("message"))
	info := digestInfo + fmt.Sprintf("%x", digest)
	play(t, c, []step{
		{"00 A4 04 00 0C A000000063504B43532D3135 00", "6F18…9000", "SELECT with Le"},
		{"00 A4 04 00 0C A000000063504B43532D3135", "611A", "and without"},
		{"00 C0 00 00 00", "6F18…9000", "GET RESPONSE, all there is"},
		{"00 A4 09 0C 02 5032", "9000", "TokenInfo"},
		{"00 B0 00 00 FF", "30…6282", "fewer bytes than asked for"},
		{"00 B0 00 00", "6700", "READ BINARY without Le"},
		{"00 20 00 81 03 123456", "9000", "VERIFY in BCD"},
		{"00 22 41 A4 06 800102 840101", "9000", "MSE SET, authentication"},
		{"00 2A 9E 9A 33" + info + "00", "6985", "not for signatures"},
		{"00 88 00 00 00 0033" + info + "00000000", "6700", "two bytes too many"},
	})
	public := kind.Certificates["authentication"].PublicKey.(*rsa.PublicKey)
	for _, command := range []string{
		"00 88 00 00 33" + info,               // fetched by GET RESPONSE
		"00 88 00 00 33" + info + "00",        // 256 bytes, and the others by GET RESPONSE
		"00 88 00 00 00 0033" + info + "0000", // all at once
	} {
		if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], ask(t, c.Transmit, command)); err != nil {
			t.Errorf("%s: %v", command, err)
		}
	}
	play(t, c, []step{{"00 A4 08 0C 04 50154501", "9000", "the certificate"}})
	if got := ask(t, c.Transmit, "00 B0 00 00 00 0000"); !bytes.Equal(got, kind.Certificates["authentication"].Raw) {
		t.Errorf("certificate of %d bytes", len(got))
	}
}

func xor(b []byte) (sum byte) {
	for _, v := range b {
		sum ^= v
	}
	return sum
}

// TestMixed checks that the company's certificate is the first one.
func TestMixed(t *testing.T) {
	c := newKinds(t)["mixed"].Card
	c.PowerOn()
	play(t, c, []step{
		{"00 A4 08 0C 04 50154403", "9000", "EF.CDF"},
		{"00 B0 00 00 1E", "30…9000", "the first certificate"},
		{"00 B0 00 06 16", hex.EncodeToString([]byte("Company authentication")) + "9000", "its label"},
		{"A0 20 00 82 08" + rightPIN, "9000", "VERIFY as with a Smartkort"},
	})
}
