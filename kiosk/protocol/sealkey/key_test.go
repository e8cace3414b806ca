package sealkey

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// The P-256 key of RFC 7517 appendix A.2, without its kid and use.
const (
	rfcPublic  = `"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"`
	rfcPrivate = rfcPublic + `,"d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"`
	rfcID      = "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s" // its RFC 7638 thumbprint
)

// A key keeps its time and its kid in JSON, and the JSON has no other members.
func TestKey(t *testing.T) {
	var k Key
	if err := json.Unmarshal([]byte(`{`+rfcPrivate+`,"iat":1795348800,"kid":"1"}`), &k); err != nil {
		t.Fatal(err)
	}
	if k.KeyID != rfcID || !k.Made.Equal(noon) || k.IsPublic() {
		t.Errorf("read %s of %s", k.KeyID, k.Made)
	}
	text, err := json.Marshal(k.Public())
	want := `{"kty":"EC","kid":"` + rfcID + `",` + strings.TrimPrefix(rfcPublic, `"kty":"EC",`) + `,"iat":1795348800}`
	if err != nil || string(text) != want {
		t.Errorf("the public key is %s, %v; want %s", text, err, want)
	}
	k.Made = time.Time{}
	if text, err := json.Marshal(k); err != nil || strings.Contains(string(text), "iat") {
		t.Errorf("a key of no time is %s, %v", text, err)
	}
	for _, empty := range []Key{{}, {Made: noon}} {
		if text, err := empty.MarshalJSON(); err == nil {
			t.Errorf("no key is %s", text)
		}
	}
}

// The first and the last time that iat can name are valid.
func TestTimeOfKey(t *testing.T) {
	for _, made := range []int64{1, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()} {
		var k Key
		if err := json.Unmarshal(fmt.Appendf(nil, `{%s,"iat":%d}`, rfcPublic, made), &k); err != nil || k.Made.Unix() != made {
			t.Errorf("iat %d: made at %s, %v", made, k.Made, err)
		}
	}
}

// ReadPrivate refuses an invalid file, and its error never quotes the content.
func TestReadPrivateRefuses(t *testing.T) {
	const oct = `{"kty":"oct","k":"c2VjcmV0"}`
	const p384 = `{"kty":"EC","crv":"P-384","x":"AAAA","y":"AAAA","d":"AAAA"}`
	for text, want := range map[string]string{
		``:                              "not a JSON object",
		`[]`:                            "not a JSON object",
		`{"keys":1}`:                    "not a JSON object",
		`{"keys":[]}`:                   "holds no key",
		`{}`:                            "key 1: no JWK",
		`{"keys":[{}]}`:                 "key 1: no JWK",
		`{"keys":[` + oct + `]}`:        "key 1: key is not ECDSA P-256",
		`{"keys":[` + p384 + `]}`:       "key 1: no JWK",
		`{` + rfcPublic + `}`:           "key 1 is not a private key",
		`{` + rfcPrivate + `,"iat":0}`:  "key 1: iat is not a valid time",
		`{` + rfcPrivate + `,"iat":""}`: "key 1: iat is not a valid time",
		`{` + rfcPrivate + `,"iat":253402300800}`:                           "key 1: iat is not a valid time",
		`{"keys":[{` + rfcPrivate + `,"iat":1},{` + rfcPrivate + `}]}`:      "key 2 occurs twice",
		`{` + strings.Replace(rfcPrivate, "870MB6", "970MB6", 1) + `,"a":1`: "not a JSON object",
	} {
		path := filepath.Join(t.TempDir(), "seal.jwk")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadPrivate(path)
		if err == nil || !strings.HasSuffix(err.Error(), want) || strings.Contains(err.Error(), "0MB6g") || strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	if _, err := ReadPrivate(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// The folder of an older hub has one JWK without a time.
func TestOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.jwk")
	if err := os.WriteFile(path, []byte(`{`+rfcPrivate+`}`), 0o600); err != nil {
		t.Fatal(err)
	}
	made, err := Rotate(path, noon)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ReadPrivate(path)
	if err != nil || len(keys) != 2 || keys[0].KeyID != made.KeyID || keys[1].KeyID != rfcID || !keys[1].Made.IsZero() {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

// ReadPublic refuses a file with a private key in it, and any other invalid file.
func TestReadPublicRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.jwk")
	for text, want := range map[string]string{
		`{` + rfcPrivate + `}`: "it is not a public key",
		`{}`:                   "no JWK",
		``:                     "unexpected end",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadPublic(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
		var told strings.Builder
		if n := OpenNewest(path, Key{Made: noon}, slog.New(slog.NewTextHandler(&told, nil))); !n.Key().Made.Equal(noon) || !strings.Contains(told.String(), want) {
			t.Errorf("%s: the newest is of %s, logged %q", text, n.Key().Made, told.String())
		}
	}
}

// A public key that cannot be written is an error.
func TestWritePublicFails(t *testing.T) {
	var k Key
	if err := json.Unmarshal([]byte(`{`+rfcPrivate+`}`), &k); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "folder", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "seal.jwk.new", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"the folder is missing":            filepath.Join(dir, "missing", "seal.jwk"),
		"the path is a folder":             filepath.Join(dir, "folder"),
		"the temporary file is in the way": filepath.Join(dir, "seal.jwk"),
	} {
		if err := WritePublic(path, k); err == nil || !strings.Contains(err.Error(), "cannot write "+path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParsePrivate(f *testing.F) {
	f.Add([]byte(`{"keys":[{` + rfcPrivate + `,"iat":1795348800}]}`))
	f.Add([]byte(`{` + rfcPrivate + `}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parsePrivate(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(set{keys})
		if err != nil {
			t.Fatal(err)
		}
		same, err := parsePrivate(again)
		if err != nil || len(same) != len(keys) || same[0].KeyID != keys[0].KeyID || !same[0].Made.Equal(keys[0].Made) {
			t.Errorf("%q became %q, %v", text, again, err)
		}
	})
}
