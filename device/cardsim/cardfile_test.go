package cardsim_test

import (
	"bytes"
	"crypto/rsa"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
)

// TestSaveKeepsState saves a card that was used and loads it again.
func TestSaveKeepsState(t *testing.T) {
	p := newPKI(t)
	c := p.Cards["valid"]
	c.PowerOn()
	play(t, c, []step{
		{"00 24 00 82 10" + rightPIN + newPIN, "9000", "change the PIN"},
		{"00 20 00 82 08" + wrongPIN, "63C2", "spend a try"},
	})
	path := filepath.Join(t.TempDir(), "a.card")
	for range 2 { // the second time over the first
		if err := c.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("Save left %v", files)
	}
	loaded, err := cardsim.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := c.Marshal()
	b, errB := loaded.Marshal()
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("loaded card differs: %v, %v", errA, errB)
	}
	loaded.PowerOn()
	play(t, loaded, []step{
		{"00 20 00 82", "63C2", "the try is still spent"},
		{"00 20 00 82 08" + newPIN, "9000", "the PIN is still changed"},
	})
	mute, err := p.Cards["mute"].Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if c, err := cardsim.Parse(mute); err != nil || c.ATR() != nil {
		t.Errorf("mute card: %v", err)
	}
}

func TestLoadFails(t *testing.T) {
	if _, err := cardsim.Load("no/such.card"); err == nil || err.Error() != "cannot load card: open no/such.card: no such file or directory" {
		t.Error(err)
	}
	path := filepath.Join(t.TempDir(), "bad.card")
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cardsim.Load(path); err == nil || !strings.HasPrefix(err.Error(), "cannot load card "+path+": card file has format") {
		t.Error(err)
	}
	if err := newPKI(t).Cards["valid"].Save("no/such.card"); err == nil || !strings.HasPrefix(err.Error(), "cannot save card: ") {
		t.Error(err)
	}
}

func TestParseRefuses(t *testing.T) {
	b, err := newPKI(t).Cards["valid"].Marshal()
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	for _, test := range []struct{ old, new, want string }{
		{good, "", "not a card file: EOF"},
		{good, "[]", "not a card file: json: cannot unmarshal array"},
		{good, good + "{}", "not a card file: more than one JSON value"},
		{`"serial":`, `"cereal":`, `not a card file: json: unknown field "cereal"`},
		{"smartkiosk-card/1", "smartkiosk-card/2", `card file has format "smartkiosk-card/2", not "smartkiosk-card/1"`},
		{`"smartkort"`, `"stupidkort"`, `cannot make card: unknown kind "stupidkort"`},
		{`"serial": "95`, `"serial": "9x`, "cannot read serial: encoding/hex: invalid byte"},
		{`"pin":`, `"pen":`, `cannot make card: no PIN "pin"`},
		{`"pins": {`, `"pins": {"third": {"value": "1", "left": 1},`, "cannot make card: more PINs than this kind of card has"},
		{`"1234"`, `"123"`, `cannot make card: PIN "pin" is not 4 to 4 digits`},
		{`"1234"`, `"12E4"`, `cannot make card: PIN "pin" is not 4 to 4 digits`},
		{`"1234"`, `"123456789"`, `cannot make card: PIN "pin" is not 4 to 4 digits`},
		{`"left": 3`, `"left": 4`, `cannot make card: PIN "pin" has 4 tries left, not 0 to 3`},
		{`"left": 3`, `"left": -1`, `cannot make card: PIN "pin" has -1 tries left, not 0 to 3`},
		{`"authentication":`, `"encryption":`, `cannot make card: this kind of card has no key "encryption"`},
		{"BEGIN PRIVATE", "BEGIN PUBLIC", `cannot read key "authentication": not one PEM block PRIVATE KEY`},
		{"PRIVATE KEY-----\\nM", "PRIVATE KEY-----\\nN", `cannot read key "authentication": asn1: structure error`},
		{"BEGIN CERTIFICATE", "BEGIN X", `cannot read certificate "authentication": not one PEM block CERTIFICATE`},
		{`"authorities": [`, `"authorities": ["-----",`, `cannot read authority certificate 0: not one PEM block CERTIFICATE`},
	} {
		if !strings.Contains(good, test.old) {
			t.Fatalf("card file has no %s", test.old)
		}
		_, err := cardsim.Parse([]byte(strings.Replace(good, test.old, test.new, 1)))
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%.40q for %.40q: got %v, want %s", test.new, test.old, err, test.want)
		}
	}
	for want, spoil := range map[string]func(*cardsim.Image){
		"updated in the year 10000": func(i *cardsim.Image) { i.Updated = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"a serial number of 33 bytes and 1 authority certificates do not fit": func(i *cardsim.Image) { i.Serial = make([]byte, 33) },
		"a serial number of 8 bytes and 9 authority certificates do not fit":  func(i *cardsim.Image) { i.Authorities = make([][]byte, 9) },
		"an authority certificate of 32768 bytes does not fit":                func(i *cardsim.Image) { i.Authorities = [][]byte{make([]byte, 32768)} },
		`certificate "signature" of 32768 bytes does not fit`: func(i *cardsim.Image) {
			i.Keys["signature"] = cardsim.Key{Private: i.Keys["signature"].Private, Certificate: make([]byte, 32768)}
		},
		`key "signature" has 4096 bits, not 2048`: func(i *cardsim.Image) {
			i.Keys["signature"] = cardsim.Key{Private: newPKI(t).RootKey.(*rsa.PrivateKey)}
		},
	} {
		image := newPKI(t).Cards["valid"].Image()
		spoil(&image)
		if _, err := cardsim.New(image); err == nil || err.Error() != "cannot make card: "+want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	const p256 = `-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\nOF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r\n1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G\n-----END PRIVATE KEY-----\n`
	i := strings.Index(good, "-----BEGIN PRIVATE")
	j := i + strings.Index(good[i:], `"`)
	_, err = cardsim.Parse([]byte(good[:i] + p256 + good[j:]))
	if err == nil || err.Error() != `cannot make card: key "authentication" is a *ecdsa.PrivateKey` {
		t.Errorf("EC key: %v", err)
	}
}

// TestInactiveCard checks that an inactive card refuses every PIN command with 6984,
// also the request for the tries left.
func TestInactiveCard(t *testing.T) {
	file, err := newPKI(t).Cards["inactive"].Marshal()
	if err != nil {
		t.Fatal(err)
	}
	card, err := cardsim.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	card.PowerOn()
	play(t, card, []step{
		{"00 20 00 82", "6984", "ask for the tries"},
		{"A0 20 00 82 08" + rightPIN, "6984", "verify"},
		{"00 24 00 82 10" + rightPIN + newPIN, "6984", "change"},
		{"00 2C 00 82 10" + rightPUK + newPIN, "6984", "unblock"},
	})
	if image := card.Image(); image.PINs["pin"].Left != testpki.Tries {
		t.Errorf("%d tries left", image.PINs["pin"].Left)
	}
}

// TestUndatedCard checks that a card without a date has no lastUpdate in its
// TokenInfo, also after it was saved and loaded.
func TestUndatedCard(t *testing.T) {
	image := newPKI(t).Cards["valid"].Image()
	image.Updated = time.Time{}
	card, err := cardsim.New(image)
	if err != nil {
		t.Fatal(err)
	}
	file, err := card.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if card, err = cardsim.Parse(file); err != nil {
		t.Fatal(err)
	}
	card.PowerOn()
	play(t, card, []step{
		{"00 A4 08 0C 04 5015 5032", "9000", "SELECT TokenInfo"},
		{"00 B0 00 00 02", "3050 9000", "its length, which is 19 bytes less"},
	})
}
