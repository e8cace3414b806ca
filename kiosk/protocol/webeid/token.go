// Package webeid makes and validates Web eID authentication tokens. A token
// proves that the card with a certificate's key has signed a server's challenge
// for the server's origin (Web eID, authentication token format 1.0).
package webeid

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
)

// Format is the format of the tokens that Sign makes.
const Format = "web-eid:1.0"

// appVersion is the name of the program that made a token. It is not signed,
// and this package does not evaluate it.
const appVersion = "https://smartkiosk.example/webeid/1.0.0"

// The length of a token in bytes.
const (
	minToken = 100
	maxToken = 10_000
)

// Token is the content of an authentication token. Nothing in it has been
// verified.
type Token struct {
	Certificate []byte    // DER, the alleged holder's
	Algorithm   Algorithm // of Signature; may be unknown
	Signature   []byte
	Format      string
	AppVersion  string
}

// wire is the JSON form of a token.
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

// Parse reads a token and checks its form only. It ignores unknown members,
// because later minor versions may add some. No member may occur twice. The
// error is a *trust.Refusal with kiosk.Parse or kiosk.Format.
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

// decodeBase64 is stricter than encoding/base64, which ignores line ends.
func decodeBase64(s string) ([]byte, error) {
	if s == "" {
		return nil, errors.New("it is missing")
	}
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line end in base64")
	}
	return base64.StdEncoding.Strict().DecodeString(s)
}
