package bootfiles

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/est"
)

func newCode(t testing.TB, kiosk string) est.Code {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	code, err := est.NewCode(kiosk, ca, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestParseSettings(t *testing.T) {
	for text, want := range map[string]string{ // the error, or "" for good settings
		"hub = 'https://hub.example:8443'":                                             "",
		"\ufeffhub = 'https://hub.example:8443'\r\nlanguage = 'se'\r\n":                "",
		"hub = 'https://hub.example'\nboard = 'zero2w-keypad-lcd'\nreader = 'Omnikey'": "",
		"": "hub is missing",
		"hub = 'https://hub.example'\nbord = 'x'":   `line 2: unknown key "bord"`,
		"hub = 'https://hub.example'\n[network]\n":  `line 2: unknown key "network"`,
		"hub = https://hub.example":                 "line 1, column 7",
		"hub = 'https://hub.example'\nlanguage = 3": "line 2, column 12",
		"hub = 'http://hub.example'":                `hub "http://hub.example" is not https://host[:port]`,
		"hub = 'https://hub.example/'":              "is not https://host[:port]",
		"hub = 'https://'":                          "is not https://host[:port]",
		"hub = 'https://hub.example'\nlanguage='x'": `language "x" is not nb, nn, se or en`,
		"hub = 'https://h'\nboard = '../../etc/x'":  `board "../../etc/x" is not the name of a file`,
		"hub = 'https://h'\nboard = '..'":           `board ".." is not the name of a file`,
	} {
		_, err := ParseSettings([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseSettings(f *testing.F) {
	f.Add([]byte("hub = 'https://hub.example:8443'\nlanguage = 'nb'"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseSettings(text)
		if err != nil {
			return
		}
		again, err := s.Text()
		if err != nil {
			t.Fatal(err)
		}
		if read, err := ParseSettings(again); err != nil || read != s {
			t.Errorf("%+v is read as %+v, %v", s, read, err)
		}
	})
}

// What is written can be read, also after a DOS program has changed the names to upper
// case and added comments.
func TestFolder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "k1")
	code := newCode(t, "k1")
	want := Settings{Hub: "https://hub.example", Language: "en", Board: "pi4-usbpad-oled", Reader: "ACR39"}
	files, err := NewFiles(want, code)
	if err != nil {
		t.Fatal(err)
	}
	if printed := fmt.Sprintf("%v %+v %s", files, files, files.Code); strings.Contains(printed, strings.TrimSpace(string(files.Code))) {
		t.Error("the code is printed")
	}
	if err := files.Write(folder); err != nil {
		t.Fatal(err)
	}
	if err := files.Write(folder); !errors.Is(err, fs.ErrExist) {
		t.Errorf("files are replaced: %v", err)
	}
	if err := os.Rename(filepath.Join(folder, CodeFile), filepath.Join(folder, "CODE.TXT")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "CODE.TXT"), []byte("\ufeff# for k1\r\n\r\n  "+strings.ToLower(code.Text())+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadSettings(folder); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := ReadCode(folder); err != nil || got.Text() != code.Text() {
		t.Errorf("%v, %v", got.Kiosk, err)
	}
	if _, err := ReadFiles(folder); err != nil {
		t.Error(err)
	}
	if err := DeleteCode(folder); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCode(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the code after its deletion: %v", err)
	}
	if err := DeleteCode(folder); err != nil {
		t.Errorf("deletion again: %v", err)
	}
	if _, err := ReadFiles(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("files without a code: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, SettingsFile), make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSettings(folder); err == nil || !strings.Contains(err.Error(), "not a small file") {
		t.Errorf("a large file: %v", err)
	}
}

func TestParseCode(t *testing.T) {
	for text, want := range map[string]string{
		"":             "the file is empty",
		"# nothing\n":  "the file is empty",
		"k1 3467":      "it has no colon",
		"k1:3467-9ACD": "it has 8 letters after the colon, not 28",
	} {
		if _, err := ParseCode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseCode(f *testing.F) {
	f.Add([]byte("# comment\nk1:3467-9ACD-KKF7-YJ73-Q7RH-3ACA-Q9WA\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := ParseCode(text); err == nil && !bytes.Contains(bytes.ToLower(text), []byte(c.Kiosk+":")) {
			t.Errorf("%q is for %q", text, c.Kiosk)
		}
	})
}
