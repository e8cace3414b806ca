package cardsim_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
)

// TestIsoApplet signs only when MSE SET names the algorithm.
func TestIsoApplet(t *testing.T) {
	kind := newKinds(t)["isoapplet"]
	c := kind.Card
	c.PowerOn()
	digest := sha256.Sum256([]byte("message"))
	play(t, c, []step{
		{"00 A4 04 00 0C F276A288BCFBA69D34F31001", "6103", "the applet"},
		{"00 20 00 01 10 31323334 000000000000000000000000", "9000", "VERIFY"},
		{"00 22 41 B6 03 840100", "6984", "MSE SET without an algorithm"},
		{"00 22 41 B6 06 800102 840100", "6A88", "another algorithm"},
		{"00 22 41 B6 06 800111 840100", "9000", "RSA, padded by the applet"},
	})
	signature := ask(t, c.Transmit, "00 2A 9E 9A 33"+digestInfo+fmt.Sprintf("%x", digest))
	if err := rsa.VerifyPKCS1v15(kind.Certificates["authentication"].PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], signature); err != nil {
		t.Error(err)
	}
	play(t, c, []step{{"00 22 41 B6 06 800121 840101", "9000", "ECDSA"}})
	der := ask(t, c.Transmit, "00 2A 9E 9A 20"+fmt.Sprintf("%x", digest))
	if !ecdsa.VerifyASN1(kind.Certificates["signature"].PublicKey.(*ecdsa.PublicKey), digest[:], der) {
		t.Errorf("ECDSA: %X", der)
	}
}

// olderMyEID returns OsEID's card as one of MyEID before version 4.5.
func olderMyEID(t *testing.T, kinds map[string]testpki.Kind) testpki.Kind {
	t.Helper()
	older := kinds["oseid"]
	image := older.Card.Image()
	image.Kind = cardsim.MyEID
	var err error
	if older.Card, err = cardsim.New(image); err != nil {
		t.Fatal(err)
	}
	return older
}

// TestMyEID signs with RSA by DECIPHER only.
func TestMyEID(t *testing.T) {
	kind := olderMyEID(t, newKinds(t))
	c := kind.Card
	c.PowerOn()
	digest := sha256.Sum256([]byte("message"))
	block := "0001" + strings.Repeat("ff", 256-3-51) + "00" + digestInfo + fmt.Sprintf("%x", digest)
	play(t, c, []step{
		{"00 A4 04 0C 0C A000000063504B43532D3135", "9000", "the application"},
		{"00 20 00 01 08" + rightPIN, "9000", "VERIFY"},
		{"00 A4 00 0C 02 4B01", "9000", "the key's file"},
		{"00 22 41 B6 0A 800100 81024B01 840100", "9000", "MSE SET to sign"},
		{"10 2A 9E 9A FF" + block[:510], "9000", "255 bytes of the block"},
		{"00 2A 9E 9A 01" + block[510:] + "00", "6700", "the last one"},
		{"00 2A 80 86 81 81" + block[:256], "6985", "DECIPHER without MSE SET"},
		{"00 22 41 B8 0A 800100 81024B01 840100", "9000", "MSE SET to decipher"},
		{"00 2A 80 86 81 82" + block[256:], "6A80", "the second half first"},
		{"00 2A 80 86 81 81" + block[:256], "9000", "the first half"},
	})
	signature := ask(t, c.Transmit, "00 2A 80 86 81 82"+block[256:]+"00")
	if err := rsa.VerifyPKCS1v15(kind.Certificates["authentication"].PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], signature); err != nil {
		t.Error(err)
	}
}

// TestOsEID signs only with the selected key file, named in MSE SET.
func TestOsEID(t *testing.T) {
	kind := newKinds(t)["oseid"]
	c := kind.Card
	c.PowerOn()
	digest := sha256.Sum256([]byte("message"))
	hash := fmt.Sprintf("%x", digest)
	block := "0001" + strings.Repeat("ff", 256-3-51) + "00" + digestInfo + hash
	play(t, c, []step{
		{"00 A4 04 0C 0C A000000063504B43532D3135", "9000", "the application"},
		{"00 20 00 01 08" + rightPIN, "9000", "VERIFY"},
		{"00 22 41 B6 03 840101", "6A81", "MSE SET with a key reference"},
		{"00 22 41 B6 0A 800100 81024B01 840100", "6985", "the file is not selected"},
		{"00 A4 00 0C 02 4B01", "9000", "the key's file"},
		{"00 B0 00 00 00", "6982", "which cannot be read"},
		{"00 22 41 B6 0A 800100 81024B01 840100", "9000", "MSE SET"},
		{"10 2A 9E 9A FF" + block[:510], "9000", "255 bytes of the block"},
	})
	signature := ask(t, c.Transmit, "00 2A 9E 9A 01"+block[510:]+"00")
	if err := rsa.VerifyPKCS1v15(kind.Certificates["authentication"].PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], signature); err != nil {
		t.Error(err)
	}
	play(t, c, []step{
		{"00 A4 00 0C 02 4B02", "9000", "the other key's file"},
		{"00 22 41 B6 0A 800104 81024B02 840100", "9000", "MSE SET for ECDSA"},
	})
	der := ask(t, c.Transmit, "00 2A 9E 9A 20"+hash+"00")
	if !ecdsa.VerifyASN1(kind.Certificates["signature"].PublicKey.(*ecdsa.PublicKey), digest[:], der) {
		t.Errorf("ECDSA: %X", der)
	}
}
