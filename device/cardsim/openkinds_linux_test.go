package cardsim_test

import (
	"bytes"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/cardsim/testpki"
)

// openscConf makes OpenSC 0.23 use a kind of card: with the driver for unknown cards
// if that suffices, otherwise with a driver configured for the card's answer to reset.
func openscConf(atr []byte, driver string) string {
	if driver == "" {
		return readOnly
	}
	return fmt.Sprintf(`app default {
	card_atr %s {
		driver = "%s";
	}
	framework pkcs15 { use_file_caching = false; }
}`, regexp.MustCompile(`..`).ReplaceAllString(hex.EncodeToString(atr), "$0:")[:3*len(atr)-1], driver)
}

// TestOpenSCReadsEveryKind checks that OpenSC finds every object on a card of each
// kind, and reads every certificate as it was issued.
func TestOpenSCReadsEveryKind(t *testing.T) {
	kinds, err := newPKI(t).Kinds()
	if err != nil {
		t.Fatal(err)
	}
	drivers := map[string]string{
		"applet":    "isoApplet", // knows the AID
		"t1":        "MaskTech",  // knows extended length
		"isoapplet": "isoApplet",
		"piv":       "PIV-II",
		"esteid":    "esteid2018",
	}
	d := pcsctest.Start(t)
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		t.Run(name, func(t *testing.T) {
			defer d.Insert(t, kinds[name].Card)()
			o := newOpenSC(t, openscConf(kinds[name].Card.ATR(), drivers[name]))
			o.dumps(name)
			for key, certificate := range kinds[name].Certificates {
				block, _ := pem.Decode([]byte(o.must("pkcs15-tool", "--read-certificate", openscID[name][key])))
				if block == nil || !bytes.Equal(block.Bytes, certificate.Raw) {
					t.Errorf("certificate %s is not the one on the card", key)
				}
			}
		})
	}
}

// openscID returns the ID of each key's certificate.
var openscID = map[string]map[string]string{
	"two-pin":   {"authentication": "01", "signature": "02", "authentication-rsa": "03"},
	"no-aid":    {"authentication": "0a", "signature": "0b"},
	"applet":    {"authentication": "45", "signature": "46"},
	"t1":        {"authentication": "45", "signature": "46"},
	"isoapplet": {"authentication": "45", "signature": "46"},
	"oseid":     {"authentication": "45", "signature": "46"},
	"piv":       {"authentication": "01", "signature": "02"},
	"esteid":    {"authentication": "01", "signature": "02"},
	"fineid":    {"authentication": "45", "signature": "46"},
	"mixed":     {"authentication": "45", "signature": "46", "company-authentication": "21", "company-signature": "22"},
}

// TestOpenSCSignsWithKinds verifies PINs and signs with OpenSC, on the kinds for which
// it has a driver. It has none for a card that adds no padding.
func TestOpenSCSignsWithKinds(t *testing.T) {
	kinds := newKinds(t)
	kinds["myeid"] = olderMyEID(t, kinds)
	d := pcsctest.Start(t)
	type form struct {
		hash string // as openssl has it
		size int
		args []string
	}
	rsa := form{"sha256", 32, []string{"--sha-256", "--pkcs1"}}
	ec := form{"sha1", 20, []string{"--sha-1", "--signature-format", "openssl"}} // the one hash that the driver has with such keys
	raw256 := form{"sha256", 32, []string{"--signature-format", "openssl"}}
	raw384 := form{"sha384", 48, []string{"--signature-format", "openssl"}}
	for _, c := range []struct {
		kind, driver, key, pin string
		form                   form
	}{
		{"applet", "isoApplet", "45", testpki.PIN, rsa},
		{"applet", "isoApplet", "46", testpki.PIN, ec},
		{"isoapplet", "isoApplet", "45", testpki.PIN, rsa},
		{"isoapplet", "isoApplet", "46", testpki.PIN, ec},
		{"t1", "MaskTech", "45", testpki.LongPIN, rsa},
		{"mixed", "MaskTech", "21", testpki.PIN, rsa},
		{"mixed", "MaskTech", "22", testpki.PIN, rsa},
		{"mixed", "MaskTech", "45", testpki.PIN, rsa},
		{"mixed", "MaskTech", "46", testpki.PIN, rsa},
		{"t1", "MaskTech", "46", testpki.LongPIN, rsa},
		{"oseid", "myeid", "45", testpki.PIN, rsa},
		{"oseid", "myeid", "46", testpki.PIN, ec},
		{"myeid", "myeid", "45", testpki.PIN, rsa}, // by DECIPHER
		{"myeid", "myeid", "46", testpki.PIN, ec},
		{"piv", "PIV-II", "01", testpki.LongPIN, rsa},
		{"piv", "PIV-II", "02", testpki.LongPIN, raw256},
		{"esteid", "esteid2018", "01", testpki.PIN, raw384},
		{"esteid", "esteid2018", "02", testpki.LongPIN, raw384},
	} {
		t.Run(c.kind+" "+c.key, func(t *testing.T) {
			defer d.Insert(t, kinds[c.kind].Card)()
			o := newOpenSC(t, openscConf(kinds[c.kind].Card.ATR(), c.driver))
			if err := os.WriteFile(filepath.Join(o.dir, "digest"), bytes.Repeat([]byte{0xAB}, c.form.size), 0o644); err != nil {
				t.Fatal(err)
			}
			o.must("pkcs15-crypt", append(c.form.args, "--sign", "--key", c.key, "--pin", c.pin, "--input", "digest", "--output", "signature")...)
			o.must("pkcs15-tool", "--read-certificate", c.key, "--output", "certificate")
			verdict := o.must("openssl", "pkeyutl", "-verify", "-certin", "-inkey", "certificate",
				"-in", "digest", "-sigfile", "signature", "-pkeyopt", "digest:"+c.form.hash)
			if !strings.Contains(verdict, "Verified Successfully") {
				t.Error(verdict)
			}
		})
	}
}
