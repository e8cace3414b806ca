package cardsim_test

import (
	"bytes"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
)

// openscConf has OpenSC 0.23 speak to a kind of card: by the driver for
// unknown cards where that will do, and by one named for the card's answer to
// reset where not.
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

// TestOpenSCReadsEveryKind has OpenSC find, on a card of each kind, all that
// is there, and read every certificate as it was issued.
func TestOpenSCReadsEveryKind(t *testing.T) {
	kinds, err := newPKI(t).Kinds()
	if err != nil {
		t.Fatal(err)
	}
	drivers := map[string]string{
		"applet": "isoApplet", // knows the AID
		"t1":     "MaskTech",  // knows extended length
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

// openscID gives the id of each key's certificate.
var openscID = map[string]map[string]string{
	"two-pin": {"authentication": "01", "signature": "02", "authentication-rsa": "03"},
	"no-aid":  {"authentication": "0a", "signature": "0b"},
	"applet":  {"authentication": "45", "signature": "46"},
	"t1":      {"authentication": "45", "signature": "46"},
	"mixed":   {"authentication": "45", "signature": "46", "company-authentication": "21", "company-signature": "22"},
}
