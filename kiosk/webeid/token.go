// Package webeid makes and validates Web eID authentication tokens: the proof
// that the card of a certificate has signed a challenge of a server for its
// origin (Web eID, authentication token format 1.0).
package webeid

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/trust"
)

// Format is the format of the tokens that Sign makes.
const Format = "web-eid:1.0"

// appVersion names the program that made a token. It is informative: it
// is not signed and nothing goes by it.
const appVersion = "https://smartkiosk.example/webeid/1.0.0"

// A token has 100 to 10,000 bytes.
const (
	minToken = 100
	maxToken = 10_000
)

// Token is an authentication token before anything in it is believed.
type Token struct {
	Certificate []byte    // DER, of whom the token says it is
	Algorithm   Algorithm // of Signature, maybe one that does not exist
	Signature   []byte
	Format      string
	AppVersion  string
}

// wire is a token in JSON.
type wire struct {
	Certificate string    `json:"unverifiedCertificate"`
	Algorithm   Algorithm `json:"algorithm"`
	Signature   string    `json:"signature"`
	Format      string    `json:"format"`
	AppVersion  string    `json:"appVersion"`
}

func (t Token) marshal() ([]byte, error) {
	return json.Marshal(wire{
		Certificate: base64.StdEncoding.EncodeToString(t.Certificate),
		Algorithm:   t.Algorithm,
		Signature:   base64.StdEncoding.EncodeToString(t.Signature),
		Format:      t.Format,
		AppVersion:  t.AppVersion,
	})
}

var format1 = regexp.MustCompile(`^web-eid:1(\.[0-9]+)?$`)

// Parse reads a token and checks its form alone. Members it does not know
// are passed over, as later minor versions may add some; no member may stand
// twice. The error is a *trust.Refusal with kiosk.Parse or kiosk.Format.
func Parse(token []byte) (Token, error) {
	if len(token) < minToken || len(token) > maxToken {
		return Token{}, trust.Refuse(kiosk.Parse, "the token has %d bytes, not %d to %d", len(token), minToken, maxToken)
	}
	w, err := decode(token)
	if err != nil {
		return Token{}, trust.Refuse(kiosk.Parse, "cannot read token: %w", err)
	}
	if !format1.MatchString(w.Format) {
		return Token{}, trust.Refuse(kiosk.Format, "the token's format is %.40q, not %s", w.Format, Format)
	}
	t := Token{Algorithm: w.Algorithm, Format: w.Format, AppVersion: w.AppVersion}
	if t.Certificate, err = decodeBase64(w.Certificate); err != nil {
		return Token{}, trust.Refuse(kiosk.Parse, "cannot read unverifiedCertificate: %w", err)
	}
	if t.Signature, err = decodeBase64(w.Signature); err != nil {
		return Token{}, trust.Refuse(kiosk.Parse, "cannot read signature: %w", err)
	}
	return t, nil
}

// decode is stricter than encoding/json: names are compared exactly, none
// may stand twice, nothing may follow, and the five members are strings.
func decode(token []byte) (wire, error) {
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
		return wire{}, errors.New("it is no JSON object")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return wire{}, err
		}
		name := t.(string)
		if seen[name] {
			return wire{}, fmt.Errorf("member %.40q stands twice", name)
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

// decodeBase64 is stricter than encoding/base64, which passes over line ends.
func decodeBase64(s string) ([]byte, error) {
	if s == "" {
		return nil, errors.New("it is missing")
	}
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line end in base64")
	}
	return base64.StdEncoding.Strict().DecodeString(s)
}
