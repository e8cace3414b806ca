package webeid_test

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk/protocol/webeid"
)

// card is a crypto.Signer that returns the given signature and error.
type card struct {
	public    crypto.PublicKey
	signature []byte
	err       error
}

func (c card) Public() crypto.PublicKey { return c.public }

func (c card) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return c.signature, c.err }

func TestSignRefuses(t *testing.T) {
	s := newScene(t)
	ec, rsa := newKey(t, "p256", "holder"), newKey(t, "rsa", "holder")
	ecCert := issue(t, person(t), ec.Public(), s.ca).Raw
	rsaCert := issue(t, person(t), rsa.Public(), s.ca).Raw
	for _, bad := range []struct {
		name          string
		algorithm     webeid.Algorithm // "": the one for the key
		signer        crypto.Signer
		cert          []byte
		origin, nonce string
		want          string
	}{
		{"an origin with a path", "", ec, ecCert, origin + "/", nonce, "has not the form https://host[:port]"},
		{"an origin without TLS", "", ec, ecCert, "http://hub.example", nonce, "has not the form"},
		{"an origin in capitals", "", ec, ecCert, "https://Hub.example", nonce, "has not the form"},
		{"an origin with a name", "", ec, ecCert, "https://kari@hub.example", nonce, "has not the form"},
		{"no origin", "", ec, ecCert, "", nonce, "has not the form"},
		{"a short nonce", "", ec, ecCert, origin, nonce[:43], "the nonce has 43 characters"},
		{"a long nonce", "", ec, ecCert, origin, strings.Repeat("A", 129), "the nonce has 129 characters"},
		{"no certificate", "", ec, nil, origin, nonce, "cannot read certificate"},
		{"an unknown algorithm", "HS256", ec, ecCert, origin, nonce, "not for a key"},
		{"an algorithm of another curve", "ES384", ec, ecCert, origin, nonce, "not for a key"},
		{"an algorithm of another kind of key", "ES256", rsa, rsaCert, origin, nonce, "not for a key"},
		{"a key that no algorithm has", "", newKey(t, "p224", "holder"), ecCert, origin, nonce, "no algorithm"},
		{"the certificate of another key", "", ec, rsaCert, origin, nonce, "does not match the certificate"},
		{"a card that fails", "", card{ec.Public(), nil, errors.New("the card was pulled")}, ecCert, origin, nonce, "the card was pulled"},
		{"a card that signs something else", "", card{rsa.Public(), make([]byte, 256), nil}, rsaCert, origin, nonce, "does not match the certificate"},
		{"a card that answers R and S without DER", "", card{ec.Public(), make([]byte, 64), nil}, ecCert, origin, nonce, "no ECDSA signature"},
		{"a card that answers a zero", "", card{ec.Public(), []byte{0x30, 6, 2, 1, 0, 2, 1, 0}, nil}, ecCert, origin, nonce, "no ECDSA signature"},
		{"a card that answers too long an R", "", card{ec.Public(), append(append([]byte{0x30, 38, 2, 33, 1}, make([]byte, 32)...), 2, 1, 1), nil}, ecCert, origin, nonce, "no ECDSA signature"},
	} {
		t.Run(bad.name, func(t *testing.T) {
			var err error
			if bad.algorithm != "" {
				_, err = webeid.SignWith(bad.algorithm, bad.signer, bad.cert, bad.origin, bad.nonce)
			} else {
				_, err = webeid.Sign(bad.signer, bad.cert, bad.origin, bad.nonce)
			}
			if err == nil || !strings.HasPrefix(err.Error(), "cannot sign token: ") || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("got %v; want %q", err, bad.want)
			}
		})
	}
}

// TestGoldenToken compares a token with the expected members. The key is
// published and the signature is PKCS #1 v1.5, which is deterministic. OpenSSL
// made the expected signature:
//
//	(printf %s "$ORIGIN" | openssl dgst -sha256 -binary; printf %s "$NONCE" | openssl dgst -sha256 -binary) |
//	openssl dgst -sha256 -sign valid.key | base64 -w0
func TestGoldenToken(t *testing.T) {
	pki, err := testpki.New(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	c := pki.Holders["valid"].Authentication
	text, err := webeid.Sign(c.Key, c.Certificate.Raw, origin, nonce)
	if err != nil {
		t.Fatal(err)
	}
	var token map[string]string
	if err := json.Unmarshal(text, &token); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"unverifiedCertificate": base64.StdEncoding.EncodeToString(c.Certificate.Raw),
		"algorithm":             "RS256",
		"signature":             golden,
		"format":                "web-eid:1.0",
		"appVersion":            "https://smartkiosk.example/webeid/1.0.0",
	}
	for name, value := range want {
		if token[name] != value {
			t.Errorf("%s is %s", name, token[name])
		}
	}
	if len(token) != len(want) {
		t.Errorf("the token has %d members", len(token))
	}
}

const golden = "tSNGRREvHEiG6Lws/3au9NZ6csvyClVVvI1SUm2+lUcftjurQaX74zgLYhJe1C3GfrhnLXeKsFGEg2wHIGmeze1fcOBwhYPvS7fZ" +
	"5DcYPbjKAsVT3w9wvvoROU+ZtEN/LbJA1k9QW6yWPotAJbEk9CYy+FgAIovYvc98E//zJZE2VgF+Q5P3mjSBoH508CWNgiZMJcEy" +
	"MqRszPTdOr5U46qE2Vd799sk6Ml7d5qQO3tJA4oi7ychYBJivA4JzA/EHg3nL2CskUi3wm+s823+1O9ZnJPdHI+TUA0lnHot3ZKk" +
	"fX8eDdhPCvVi7x29t7qpDAMSsNMqsvDULZ+EzZUCPA=="
