package main

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"smartkiosk/device/smartkort"
)

// cardReport is what "kioskctl card --json" prints. Bytes are hexadecimal.
type cardReport struct {
	Reader       string              `json:"reader"`
	ATR          string              `json:"atr"`
	Profile      string              `json:"profile"`     // how the driver speaks to it
	Application  string              `json:"application"` // how it was found
	Label        string              `json:"label,omitempty"`
	Manufacturer string              `json:"manufacturer,omitempty"`
	Serial       string              `json:"serial,omitempty"`
	LastUpdate   string              `json:"last_update,omitempty"`
	PINs         []pinReport         `json:"pins"`
	Certificates []certificateReport `json:"certificates"`
}

type pinReport struct {
	Label     string `json:"label"`
	Reference string `json:"reference"`
	Unblocks  bool   `json:"unblocks"` // a PUK
	MinLength int    `json:"min_length"`
	MaxLength int    `json:"max_length"`
	Tries     *int   `json:"tries"` // left; null when the card does not tell
}

type certificateReport struct {
	ID           string    `json:"id"`
	Label        string    `json:"label"`
	Subject      string    `json:"subject"`
	Issuer       string    `json:"issuer"`
	NotBefore    time.Time `json:"not_before"`
	NotAfter     time.Time `json:"not_after"`
	Usage        []string  `json:"usage"` // RFC 5280 §4.2.1.3
	Key          string    `json:"key"`   // algorithm and bits
	KeyReference int       `json:"key_reference"`
	Problem      string    `json:"problem,omitempty"` // a certificate that cannot be read
}

// card tells what is on the card.
func (p program) card(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("card", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "")
	if err := parse(flags, args); err != nil {
		return err
	}
	card, reader, err := p.open(ctx)
	if err != nil {
		return fmt.Errorf("cannot read card: %w", err)
	}
	defer card.Close()
	description, err := card.Describe(ctx)
	if err != nil {
		return err
	}
	report := newReport(reader, description)
	if *asJSON {
		out := json.NewEncoder(p.stdout)
		out.SetIndent("", "  ")
		return out.Encode(report)
	}
	return report.print(p.stdout)
}

func newReport(reader string, d smartkort.Description) cardReport {
	r := cardReport{
		Reader: reader, ATR: hex.EncodeToString(d.ATR), Profile: d.Profile.Name, Application: d.Found,
		Label: d.Token.Label, Manufacturer: d.Token.Manufacturer,
		Serial: hex.EncodeToString(d.Token.Serial), LastUpdate: d.Token.LastUpdate,
		PINs: []pinReport{}, Certificates: []certificateReport{},
	}
	for _, p := range d.PINs {
		report := pinReport{
			Label: p.Label, Reference: hex.EncodeToString([]byte{p.Reference}), Unblocks: p.Unblocking,
			MinLength: p.MinLength, MaxLength: p.MaxLength,
		}
		if p.Known {
			report.Tries = &p.Tries
		}
		r.PINs = append(r.PINs, report)
	}
	for _, c := range d.Certificates {
		r.Certificates = append(r.Certificates, newCertificateReport(c))
	}
	return r
}

func newCertificateReport(c smartkort.Certificate) certificateReport {
	r := certificateReport{
		ID: hex.EncodeToString(c.ID), Label: c.Label, Usage: []string{},
		Key: fmt.Sprintf("%s %d", c.Key.Kind(), c.Key.Bits), KeyReference: c.Key.Reference,
	}
	parsed, err := x509.ParseCertificate(c.DER)
	if err != nil {
		r.Problem = err.Error()
		return r
	}
	r.Subject, r.Issuer = parsed.Subject.CommonName, parsed.Issuer.CommonName
	r.NotBefore, r.NotAfter = parsed.NotBefore, parsed.NotAfter
	for _, u := range []struct {
		bit  x509.KeyUsage
		name string
	}{
		{x509.KeyUsageDigitalSignature, "digitalSignature"},
		{x509.KeyUsageContentCommitment, "nonRepudiation"},
		{x509.KeyUsageKeyEncipherment, "keyEncipherment"},
		{x509.KeyUsageDataEncipherment, "dataEncipherment"},
		{x509.KeyUsageKeyAgreement, "keyAgreement"},
	} {
		if parsed.KeyUsage&u.bit != 0 {
			r.Usage = append(r.Usage, u.name)
		}
	}
	return r
}

// print writes the report in words.
func (r cardReport) print(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s"+format+"\n", append([]any{name}, args...)...)
	}
	line("Reader", "%s", r.Reader)
	line("Card", "%s, made by %s, serial number %s", orUnknown(r.Label), orUnknown(r.Manufacturer), orUnknown(r.Serial))
	line("ATR", "%s", r.ATR)
	line("Spoken to", "by profile %s; application found by %s", r.Profile, r.Application)
	for _, p := range r.PINs {
		kind := "PIN"
		if p.Unblocks {
			kind = "PUK"
		}
		digits := fmt.Sprintf("%d to %d digits", p.MinLength, p.MaxLength)
		if p.MinLength == p.MaxLength {
			digits = fmt.Sprintf("%d digits", p.MinLength)
		}
		line(kind, "%q, reference %s, %s: %s", p.Label, p.Reference, digits, p.state())
	}
	for _, c := range r.Certificates {
		if c.Problem != "" {
			line("Certificate", "%q (ID %s) cannot be read: %s", c.Label, c.ID, c.Problem)
			continue
		}
		line("Certificate", "%q (ID %s): %s", c.Label, c.ID, c.Subject)
		line("", "issued by %s", c.Issuer)
		line("", "valid from %s until %s", c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339))
		line("", "for %s", orUnknown(strings.Join(c.Usage, ", ")))
		line("", "key %s bits, reference %d", c.Key, c.KeyReference)
	}
	if len(r.Certificates) == 0 {
		line("Certificates", "none that belongs to a key of the card")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p pinReport) state() string {
	switch {
	case p.Tries == nil:
		return "the card does not tell the tries left"
	case *p.Tries == 0:
		return "blocked"
	case *p.Tries == 1:
		return "1 try left"
	}
	return fmt.Sprintf("%d tries left", *p.Tries)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
