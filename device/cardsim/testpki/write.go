package testpki

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
)

// trustTOML defines a trust domain with the files in the same folder, in the
// format of kiosk/protocol/trust.
const trustTOML = `[[domain]]
name = "buypass-test"
anchors = ["root.pem"]
intermediates = ["person-ca.pem"]
policies = ["2.16.578.1.26.1.3.1"]
refused_policies = ["2.16.578.1.26.1.3.6"]
crls = ["person-ca.crl"]
purposes = ["authenticate", "sign"]
subject = "buypass"
`

// Vacant returns an error when a folder already contains a PKI, so that Write
// cannot use it.
func Vacant(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, "root.pem")); err == nil {
		return fmt.Errorf("cannot write PKI: %s already holds one", dir)
	}
	return nil
}

// Write writes the PKI to a folder, which it creates when it is missing:
//
//	root.pem person-ca.pem   the hierarchy to trust
//	person-ca.crl            DER
//	ocsp.pem ocsp.key        the OCSP responder
//	cards/NAME.card          the cards, including those of Kinds
//	trust.toml               a trust domain with these files
//
// It does not write the keys of the authorities. It fails when the folder
// already contains a PKI.
func (p *PKI) Write(dir string) error {
	if err := Vacant(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "cards"), 0o755); err != nil {
		return fmt.Errorf("cannot write PKI: %w", err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(p.ResponderKey)
	if err != nil {
		return fmt.Errorf("cannot write PKI: %w", err)
	}
	for _, f := range []struct {
		name    string
		content []byte
		mode    os.FileMode
	}{
		{"root.pem", encodePEM("CERTIFICATE", p.Root.Raw), 0o644},
		{"person-ca.pem", encodePEM("CERTIFICATE", p.PersonCA.Raw), 0o644},
		{"person-ca.crl", p.CRL, 0o644},
		{"ocsp.pem", encodePEM("CERTIFICATE", p.Responder.Raw), 0o644},
		{"ocsp.key", encodePEM("PRIVATE KEY", key), 0o600},
		{"trust.toml", []byte(trustTOML), 0o644},
	} {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.content, f.mode); err != nil {
			return fmt.Errorf("cannot write PKI: %w", err)
		}
	}
	cards := maps.Clone(p.Cards)
	kinds, err := p.Kinds()
	if err != nil {
		return fmt.Errorf("cannot write PKI: %w", err)
	}
	for name, kind := range kinds {
		cards[name] = kind.Card
	}
	for name, card := range cards {
		if err := card.Save(filepath.Join(dir, "cards", name+".card")); err != nil {
			return fmt.Errorf("cannot write PKI: %w", err)
		}
	}
	return nil
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
