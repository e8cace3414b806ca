package cardsim

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// document is a .card file: one JSON object. Bytes are in hexadecimal; keys
// (PKCS #8) and certificates (X.509) are in PEM.
//
//	{
//	  "format": "smartkiosk-card/1",
//	  "kind": "smartkort",                             (or another of kinds.go, with its names of PINs and keys)
//	  "serial": "9578405000000001",
//	  "updated": "2026-01-31T12:00:00Z",               (omitted: no lastUpdate)
//	  "mute": true,                                    (omitted: false)
//	  "inactive": true,                                (omitted: false)
//	  "pins": {"pin": {"value": "1234", "left": 3}, "puk": {"value": "12345678", "left": 3}},
//	  "keys": {"authentication": {"private": "-----BEGIN PRIVATE KEY-----…", "certificate": "-----BEGIN CERTIFICATE-----…"},
//	           "signature": {…}},                      (both are optional)
//	  "authorities": ["-----BEGIN CERTIFICATE-----…"]
//	}
type document struct {
	Format      string                 `json:"format"`
	Kind        string                 `json:"kind"`
	Serial      string                 `json:"serial"`
	Updated     time.Time              `json:"updated,omitzero"`
	Mute        bool                   `json:"mute,omitempty"`
	Inactive    bool                   `json:"inactive,omitempty"`
	PINs        map[string]documentPIN `json:"pins"`
	Keys        map[string]documentKey `json:"keys"`
	Authorities []string               `json:"authorities"`
}

type documentPIN struct {
	Value string `json:"value"`
	Left  int    `json:"left"`
}

type documentKey struct {
	Private     string `json:"private"`
	Certificate string `json:"certificate"`
}

const documentFormat = "smartkiosk-card/1"

// Load reads a card from its file.
func Load(path string) (*Card, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot load card: %w", err)
	}
	c, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("cannot load card %s: %w", path, err)
	}
	return c, nil
}

// Save writes the card's current state to its file, including tries left and
// changed PINs. Only the owner can read the file. An interrupted Save leaves
// the old file unchanged.
func (c *Card) Save(path string) error {
	b, err := c.Marshal()
	if err != nil {
		return fmt.Errorf("cannot save card: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("cannot save card: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("cannot save card: %w", err)
	}
	return nil
}

// Parse makes a card from the content of a .card file.
func Parse(b []byte) (*Card, error) {
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	var d document
	if err := decoder.Decode(&d); err != nil {
		return nil, fmt.Errorf("not a card file: %w", err)
	}
	if decoder.More() {
		return nil, errors.New("not a card file: more than one JSON value")
	}
	if d.Format != documentFormat {
		return nil, fmt.Errorf("card file has format %q, not %q", d.Format, documentFormat)
	}
	serial, err := hex.DecodeString(d.Serial)
	if err != nil {
		return nil, fmt.Errorf("cannot read serial: %w", err)
	}
	image := Image{Kind: d.Kind, Serial: serial, Updated: d.Updated, Mute: d.Mute, Inactive: d.Inactive,
		PINs: make(map[string]PIN), Keys: make(map[string]Key)}
	for name, p := range d.PINs {
		image.PINs[name] = PIN{Value: []byte(p.Value), Left: p.Left}
	}
	for name, k := range d.Keys {
		private, err := parsePrivate(k.Private)
		if err != nil {
			return nil, fmt.Errorf("cannot read key %q: %w", name, err)
		}
		certificate, err := parsePEM("CERTIFICATE", k.Certificate)
		if err != nil {
			return nil, fmt.Errorf("cannot read certificate %q: %w", name, err)
		}
		image.Keys[name] = Key{Private: private, Certificate: certificate}
	}
	for i, a := range d.Authorities {
		certificate, err := parsePEM("CERTIFICATE", a)
		if err != nil {
			return nil, fmt.Errorf("cannot read authority certificate %d: %w", i, err)
		}
		image.Authorities = append(image.Authorities, certificate)
	}
	return New(image)
}

// Marshal returns the content of the card's .card file.
func (c *Card) Marshal() ([]byte, error) {
	image := c.Image()
	d := document{Format: documentFormat, Kind: image.Kind, Serial: hex.EncodeToString(image.Serial), Updated: image.Updated,
		Mute: image.Mute, Inactive: image.Inactive, PINs: make(map[string]documentPIN), Keys: make(map[string]documentKey)}
	for name, p := range image.PINs {
		d.PINs[name] = documentPIN{Value: string(p.Value), Left: p.Left}
	}
	for name, k := range image.Keys {
		private, err := x509.MarshalPKCS8PrivateKey(k.Private)
		if err != nil {
			return nil, fmt.Errorf("cannot encode key %q: %w", name, err)
		}
		d.Keys[name] = documentKey{Private: encodePEM("PRIVATE KEY", private), Certificate: encodePEM("CERTIFICATE", k.Certificate)}
	}
	for _, a := range image.Authorities {
		d.Authorities = append(d.Authorities, encodePEM("CERTIFICATE", a))
	}
	b, err := json.MarshalIndent(d, "", "  ")
	return append(b, '\n'), err
}

func parsePrivate(s string) (crypto.Signer, error) {
	b, err := parsePEM("PRIVATE KEY", s)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(b)
	if err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("%T is not an RSA or ECDSA key", key)
}

func parsePEM(kind, s string) ([]byte, error) {
	block, rest := pem.Decode([]byte(s))
	if block == nil || block.Type != kind || len(bytes.TrimSpace(rest)) != 0 {
		return nil, fmt.Errorf("not one PEM block %s", kind)
	}
	return block.Bytes, nil
}

func encodePEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
