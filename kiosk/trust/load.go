package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pelletier/go-toml/v2"
)

// file is a trust configuration as it stands in TOML. Paths are relative to
// the file.
type file struct {
	Domain []struct {
		Name            string    `toml:"name"`
		Anchors         []string  `toml:"anchors"`       // PEM or DER files
		Intermediates   []string  `toml:"intermediates"` // PEM or DER files
		Policies        []string  `toml:"policies"`
		RefusedPolicies []string  `toml:"refused_policies"`
		Purposes        []Purpose `toml:"purposes"`
		Subject         Subject   `toml:"subject"`
		CRLs            []string  `toml:"crls"` // DER or PEM files
		Revocation      string    `toml:"revocation"`
	} `toml:"domain"`
}

// Load reads trust domains from a TOML file and the files that it names.
func Load(path string) (*Domains, error) {
	d, err := load(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read trust configuration %s: %w", path, err)
	}
	return d, nil
}

func load(path string) (*Domains, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var f file
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&f); err != nil {
		if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
			return nil, fmt.Errorf("unknown key\n%s", strict.String())
		}
		return nil, err
	}
	dir := filepath.Dir(path)
	var domains []Domain
	for _, in := range f.Domain {
		out := Domain{Name: in.Name, Policies: in.Policies, RefusedPolicies: in.RefusedPolicies, Purposes: in.Purposes, Subject: in.Subject}
		switch in.Revocation {
		case "":
		case "none":
			out.Unrevocable = true
		default:
			return nil, fmt.Errorf("trust domain %q: revocation = %q: only \"none\" may be said", in.Name, in.Revocation)
		}
		if out.Anchors, err = readCertificates(dir, in.Anchors); err != nil {
			return nil, fmt.Errorf("trust domain %q: %w", in.Name, err)
		}
		if out.Intermediates, err = readCertificates(dir, in.Intermediates); err != nil {
			return nil, fmt.Errorf("trust domain %q: %w", in.Name, err)
		}
		for _, name := range in.CRLs {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return nil, fmt.Errorf("trust domain %q: %w", in.Name, err)
			}
			crl, err := ParseCRL(data, slices.Concat(out.Intermediates, out.Anchors))
			if err != nil {
				return nil, fmt.Errorf("trust domain %q: %s: %w", in.Name, name, err)
			}
			out.CRLs = append(out.CRLs, crl)
		}
		domains = append(domains, out)
	}
	return New(domains...)
}

func readCertificates(dir string, names []string) (certs []*x509.Certificate, err error) {
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the CA file %s is missing: put it into %s", name, dir)
		}
		if err != nil {
			return nil, err
		}
		found, err := parseCertificates(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		certs = append(certs, found...)
	}
	return certs, nil
}

// parseCertificates reads one certificate in DER or any number in PEM.
func parseCertificates(data []byte) (certs []*x509.Certificate, err error) {
	block, rest := pem.Decode(data)
	if block == nil {
		c, err := x509.ParseCertificate(data)
		if err != nil {
			return nil, fmt.Errorf("cannot read certificate: %w", err)
		}
		return []*x509.Certificate{c}, nil
	}
	for ; block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("cannot read certificate: it holds a PEM block %q", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("cannot read certificate: %w", err)
		}
		certs = append(certs, c)
	}
	return certs, nil
}
