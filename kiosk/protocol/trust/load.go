package trust

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"smartkiosk/device/tomlfile"
)

// file is the content of a trust configuration in TOML.
type file struct {
	Domain []entry `toml:"domain"`
}

// entry is one [[domain]] with the fields of Domain. File names are relative to
// the configuration file.
type entry struct {
	Template        string     `toml:"template"` // name of a template that provides the defaults
	Name            string     `toml:"name"`
	Anchors         []string   `toml:"anchors"`       // PEM or DER files
	Intermediates   []string   `toml:"intermediates"` // PEM or DER files
	Policies        []string   `toml:"policies"`
	RefusedPolicies []string   `toml:"refused_policies"`
	Purposes        []Purpose  `toml:"purposes"`
	Subject         Subject    `toml:"subject"`
	CRLs            []string   `toml:"crls"` // DER or PEM files
	CRLURLs         []string   `toml:"crl_urls"`
	MaxCRLAge       duration   `toml:"max_crl_age"`
	Skew            duration   `toml:"skew"`
	OCSP            *ocspEntry `toml:"ocsp"`
	Revocation      string     `toml:"revocation"` // "none" or empty
}

// ocspEntry is the table [domain.ocsp]. An empty table means the responder that
// the certificate names.
type ocspEntry struct {
	URL     string   `toml:"url"`
	Timeout duration `toml:"timeout"`
	MaxAge  duration `toml:"max_age"`
	Nonce   string   `toml:"nonce"` // "required" or "optional"; "required" by default
}

// duration is a time.Duration whose text is for example "90s" or "168h".
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = duration(v)
	return err
}

// Load reads trust domains from a TOML file and the files that it names. If a
// CA file is missing, the error contains its name and where to get it.
func Load(path string) (*Domains, error) {
	d, err := load(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read trust configuration %s: %w", path, err)
	}
	return d, nil
}

// Files returns the names of the files that a trust configuration needs,
// sorted. A name is as in the configuration or the template: absolute, or
// relative to the configuration.
func Files(path string) ([]string, error) {
	entries, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read trust configuration %s: %w", path, err)
	}
	var names []string
	for _, e := range entries {
		names = slices.Concat(names, e.Anchors, e.Intermediates, e.CRLs)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func load(path string) (*Domains, error) {
	entries, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var domains []Domain
	for i, e := range entries {
		d, err := e.read(filepath.Dir(path))
		if err != nil {
			return nil, fmt.Errorf("trust domain %d %q: %w", i+1, e.Name, err)
		}
		domains = append(domains, d)
	}
	return New(domains...)
}

// readFile reads the configuration and applies the templates. It does not read
// the files that the configuration names.
func readFile(path string) ([]entry, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	var f file
	if err := tomlfile.Decode(text, &f); err != nil {
		return nil, err
	}
	for i, e := range f.Domain {
		if f.Domain[i], err = e.fill(); err != nil {
			return nil, fmt.Errorf("trust domain %d %q: %w", i+1, e.Name, err)
		}
	}
	return f.Domain, nil
}

// read converts e into a Domain. It reads the files that e names from dir.
func (e entry) read(dir string) (d Domain, err error) {
	d = Domain{
		Name: e.Name, Policies: e.Policies, RefusedPolicies: e.RefusedPolicies, Purposes: e.Purposes, Subject: e.Subject,
		CRLURLs: e.CRLURLs, MaxCRLAge: time.Duration(e.MaxCRLAge), Skew: time.Duration(e.Skew),
	}
	switch e.Revocation {
	case "":
	case "none":
		d.Unrevocable = true
	default:
		return d, fmt.Errorf("revocation = %q: the only value is \"none\"", e.Revocation)
	}
	if o := e.OCSP; o != nil {
		if o.Nonce != "" && o.Nonce != "required" && o.Nonce != "optional" {
			return d, fmt.Errorf("ocsp.nonce = %q: it is \"required\" or \"optional\"", o.Nonce)
		}
		d.OCSP = &OCSPRules{URL: o.URL, Timeout: time.Duration(o.Timeout), MaxAge: time.Duration(o.MaxAge), NonceOptional: o.Nonce == "optional"}
	}
	if d.Anchors, err = e.certificates(dir, e.Anchors); err != nil {
		return d, err
	}
	if d.Intermediates, err = e.certificates(dir, e.Intermediates); err != nil {
		return d, err
	}
	for _, name := range e.CRLs {
		crl, err := readCRLFile(inDir(dir, name), slices.Concat(d.Intermediates, d.Anchors))
		if err != nil {
			return d, fmt.Errorf("CRL file %s: %w", name, err)
		}
		d.CRLs = append(d.CRLs, crl)
	}
	return d, nil
}

func inDir(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

func readCRLFile(path string, issuers []*x509.Certificate) (*CRL, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	defer f.Close()
	return ReadCRL(f, issuers)
}

func (e entry) certificates(dir string, names []string) (certs []*x509.Certificate, err error) {
	for _, name := range names {
		data, err := os.ReadFile(inDir(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, e.missing(dir, name)
		}
		if err != nil {
			return nil, fmt.Errorf("CA file %s: %w", name, errors.Unwrap(err))
		}
		found, err := parseCertificates(data)
		if err != nil {
			return nil, fmt.Errorf("CA file %s: %w", name, err)
		}
		certs = append(certs, found...)
	}
	return certs, nil
}

// missing returns the error for a missing CA file. It says where to get the
// file.
func (e entry) missing(dir, name string) error {
	source := "the CA that issues the certificates"
	if t, ok := templates[e.Template]; ok {
		source = t.source
	}
	return fmt.Errorf("the CA file %s is missing: put it into %s (it is a certificate of %s)", filepath.Base(name), filepath.Dir(inDir(dir, name)), source)
}

// ReadCertificates reads a file that contains one certificate in DER or any
// number of certificates in PEM.
func ReadCertificates(path string) ([]*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	certs, err := parseCertificates(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return certs, nil
}

// parseCertificates reads one certificate in DER or any number of certificates
// in PEM.
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
