package webeid

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// decodeSlowly is decode with a json.Decoder.
func decodeSlowly(token []byte) (wire, error) {
	var w wire
	members := map[string]*string{
		"unverifiedCertificate": &w.Certificate,
		"algorithm":             (*string)(&w.Algorithm),
		"signature":             &w.Signature,
		"format":                &w.Format,
		"appVersion":            &w.AppVersion,
	}
	seen := map[string]bool{}
	d := json.NewDecoder(bytes.NewReader(token))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return wire{}, errors.New("it is not a JSON object")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return wire{}, err
		}
		name := t.(string)
		if seen[name] {
			return wire{}, fmt.Errorf("member %.40q occurs twice", name)
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return wire{}, err
		}
		member, known := members[name]
		if !known {
			continue
		}
		if value[0] != '"' {
			return wire{}, fmt.Errorf("member %q is no string", name)
		}
		if err := json.Unmarshal(value, member); err != nil {
			return wire{}, err
		}
	}
	if _, err := d.Token(); err != nil {
		return wire{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return wire{}, errors.New("something follows the JSON object")
	}
	return w, nil
}

// FuzzDecode compares decode with decodeSlowly.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"unverifiedCertificate":"MII=","algorithm":"ES256","signature":"AA==","format":"web-eid:1.0","appVersion":"https://a.example/1"}`,
		" \t\r\n{ \"format\" : \"web-eid:1.0\" , \"x\" : [ 1 , {\"}\" : \"]\\\"\"} ] }\n",
		`{"form\u0061t":"web-eid:1\u002e0","é":"\ud83d\ude00","y":-1.5e3,"z":null,"t":true,"f":false}`,
		`{"x":{"x":{}},"y":[[]],"":""}`, `{}`, `{"a":1}`, `{"a":"\\"}`, `{"a":"\\\""}`, "{\"format\":\"\xff\"}",
		`{"format":1}`, `{"format":null}`, `{"format":["a"]}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`,
		`[]`, `""`, `1`, ``, `{`, `{}{}`, `{"a":}`, `{"a" 1}`, `{,}`, `{"a":1,}`, `{"a":01}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		got, err := decode(token)
		want, wantErr := decodeSlowly(token)
		if strings.Count(string(token), ":") > maxMembers {
			return // decode refuses more than maxMembers
		}
		if got != want || (err == nil) != (wantErr == nil) {
			t.Errorf("%q: got %+v, %v; want %+v, %v", token, got, err, want, wantErr)
		}
	})
}

func TestDecodeBoundsMembers(t *testing.T) {
	token := func(n int) []byte {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"m%d":0`, i)
		}
		return []byte("{" + b.String()[1:] + "}")
	}
	if _, err := decode(token(maxMembers)); err != nil {
		t.Error(err)
	}
	if _, err := decode(token(maxMembers + 1)); err == nil || err.Error() != "it has more than 64 members" {
		t.Errorf("got %v", err)
	}
}

func BenchmarkDecode(b *testing.B) {
	token := []byte(`{"unverifiedCertificate":"` + strings.Repeat("MIIC", 500) + `","algorithm":"RS256","signature":"` +
		strings.Repeat("AAAA", 85) + `","format":"web-eid:1.0","appVersion":"https://smartkiosk.example/webeid/1.0.0"}`)
	for name, decode := range map[string]func([]byte) (wire, error){"members": decode, "decoder": decodeSlowly} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := decode(token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A scheme fits keys of its own kind and curve.
func TestSchemeFits(t *testing.T) {
	for name, s := range schemes {
		for kind, key := range map[string]crypto.PublicKey{
			"RS256": new(rsa.PublicKey), "ES256": &ecdsa.PublicKey{Curve: elliptic.P256()}, "ES384": &ecdsa.PublicKey{Curve: elliptic.P384()},
			"ES512": &ecdsa.PublicKey{Curve: elliptic.P521()}, "ES224": &ecdsa.PublicKey{Curve: elliptic.P224()}, "Ed": ed25519.PublicKey{},
		} {
			want := string(name) == kind || kind == "RS256" && (name[0] == 'R' || name[0] == 'P')
			if s.fits(key) != want {
				t.Errorf("%s fits a key for %s: %v", name, kind, !want)
			}
			algorithm, err := algorithmFor(key)
			if known := kind != "ES224" && kind != "Ed"; known && (string(algorithm) != kind || err != nil) || !known && err == nil {
				t.Errorf("the algorithm of a key for %s is %q, %v", kind, algorithm, err)
			}
		}
	}
}

// A token may be as short and as long as the limits.
func TestTokenSize(t *testing.T) {
	for size, right := range map[int]bool{minToken - 1: false, minToken: true, maxToken: true, maxToken + 1: false} {
		text := append([]byte(`{"format":"x"`), bytes.Repeat([]byte(" "), size-len(`{"format":"x"}`))...)
		_, err := Parse(append(text, '}'))
		if refused := err != nil && strings.Contains(err.Error(), "the token has"); refused == right {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}
