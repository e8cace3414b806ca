//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/smartkort"
)

// cardReport is what "kioskctl card --json" prints. Bytes are hexadecimal.
type cardReport struct {
	Verdict      string              `json:"verdict"` // a sentence
	Advice       []string            `json:"advice"`  // what is wrong and what helps
	Reader       string              `json:"reader"`
	ATR          string              `json:"atr"`
	Protocols    []int               `json:"protocols"`      // T=0, T=1
	ClocksPerBit float64             `json:"clocks_per_bit"` // at the highest speed in the ATR
	Historical   string              `json:"historical"`     // historical bytes of the ATR
	Abilities    []string            `json:"abilities"`      // capabilities in the ATR
	Profile      string              `json:"profile"`        // name of the profile that the driver uses
	About        string              `json:"about"`          // description of the profile
	NotPublic    []string            `json:"not_public"`     // what is not public about this kind of card
	Application  string              `json:"application"`
	Label        string              `json:"label,omitempty"`
	Manufacturer string              `json:"manufacturer,omitempty"`
	Serial       string              `json:"serial,omitempty"`
	LastUpdate   string              `json:"last_update,omitempty"` // as the card states it
	PINs         []pinReport         `json:"pins"`
	Keys         []keyReport         `json:"keys"`
	Certificates []certificateReport `json:"certificates"`
	Authorities  []authorityReport   `json:"authorities"`
	Problems     []string            `json:"problems"`          // parts of the card's description that are invalid and were skipped
	Choice       *choiceReport       `json:"choice,omitempty"`  // with --trust
	Signing      *signingReport      `json:"signing,omitempty"` // with --sign
}

// signingReport is the proof that the card signs.
type signingReport struct {
	Certificate string   `json:"certificate"`       // ID
	Recipe      string   `json:"recipe,omitempty"`  // how the card signs
	Refused     []string `json:"refused,omitempty"` // recipes that the card refused before
	Error       string   `json:"error,omitempty"`   // why the card did not sign
}

type pinReport struct {
	ID         string `json:"id"`
	Label      string `json:"label"`
	Reference  string `json:"reference"`
	Unblocks   bool   `json:"unblocks"` // a PUK
	MinLength  int    `json:"min_length"`
	MaxLength  int    `json:"max_length"`
	Stored     int    `json:"stored_length"` // bytes in a command
	Inactive   bool   `json:"inactive"`      // the holder must activate the card first
	Unset      bool   `json:"unset"`         // the card needs no PIN, for example because none is set
	CanChange  bool   `json:"can_change"`    // kioskctl can change it
	CanUnblock bool   `json:"can_unblock"`   // kioskctl can unblock it with the PUK
	Tries      *int   `json:"tries"`         // tries left; null when the card does not tell
	Answer     string `json:"answer"`        // the card's status word when asked for the tries left
}

type keyReport struct {
	ID        string `json:"id"`
	Label     string `json:"label"`
	Kind      string `json:"kind"`
	Bits      int    `json:"bits,omitempty"` // of an RSA modulus
	Reference int    `json:"reference"`
	PIN       string `json:"pin,omitempty"`     // ID of the PIN that guards it
	Consent   int    `json:"consent,omitempty"` // signatures per PIN entry
	Signs     bool   `json:"signs"`             // for authentication
	Binds     bool   `json:"binds"`             // for binding signatures (nonRepudiation)
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
	Verdict      string    `json:"verdict,omitempty"` // with --trust
	Problem      string    `json:"problem,omitempty"` // why the certificate cannot be read
	Bytes        int       `json:"bytes"`
	SHA256       string    `json:"sha256"`
}

type authorityReport struct {
	Label   string `json:"label"`
	Subject string `json:"subject"`
}

// choiceReport says which certificate a kiosk would use, and why.
type choiceReport struct {
	ID  string `json:"id,omitempty"` // missing when no certificate is accepted
	Why string `json:"why"`
}

func newReport(reader string, d smartkort.Description) cardReport {
	r := cardReport{
		Reader: reader, ATR: hex.EncodeToString(d.ATR), Abilities: []string{}, Profile: d.Profile.Name, About: d.Profile.About,
		NotPublic: append([]string{}, d.Profile.NotPublic...), Application: d.Found,
		Label: d.Token.Label, Manufacturer: d.Token.Manufacturer,
		Serial: hex.EncodeToString(d.Token.Serial), LastUpdate: d.Token.LastUpdate,
		PINs: []pinReport{}, Keys: []keyReport{}, Certificates: []certificateReport{}, Authorities: []authorityReport{}, Advice: []string{}, Problems: []string{},
	}
	r.readATR(d.ATR)
	for _, err := range d.Problems {
		r.Problems = append(r.Problems, err.Error())
	}
	for _, p := range d.PINs {
		report := pinReport{
			ID: hex.EncodeToString(p.ID), Label: p.Label, Reference: hex.EncodeToString([]byte{p.Reference}), Unblocks: p.Unblocking,
			MinLength: p.MinLength, MaxLength: p.MaxLength, Stored: p.StoredLength, Inactive: p.Inactive, Answer: p.Answer.String(),
			Unset: p.Unset, CanChange: p.CanChange == nil, CanUnblock: p.CanUnblock == nil && !p.Unblocking,
		}
		if p.Known {
			report.Tries = &p.Tries
		}
		r.PINs = append(r.PINs, report)
	}
	for _, k := range d.Keys {
		r.Keys = append(r.Keys, keyReport{
			ID: hex.EncodeToString(k.ID), Label: k.Label, Kind: k.Kind(), Bits: k.Bits, Reference: k.Reference,
			PIN: hex.EncodeToString(k.AuthID), Consent: k.UserConsent, Signs: k.Usage.Sign, Binds: k.Usage.NonRepudiation,
		})
	}
	for _, c := range d.Certificates {
		r.Certificates = append(r.Certificates, newCertificateReport(c))
	}
	for _, a := range d.Authorities {
		report := authorityReport{Label: a.Label, Subject: "cannot be read"}
		if parsed, err := x509.ParseCertificate(a.DER); err == nil {
			report.Subject = parsed.Subject.CommonName
		}
		r.Authorities = append(r.Authorities, report)
	}
	return r
}

// readATR decodes the answer to reset.
func (r *cardReport) readATR(b []byte) {
	atr, err := apdu.ParseATR(b)
	if err != nil {
		return
	}
	r.Protocols, r.Historical = atr.Protocols, hex.EncodeToString(atr.Historical)
	r.ClocksPerBit = float64(atr.F) / float64(atr.D)
	if atr.Chaining {
		r.Abilities = append(r.Abilities, "command chaining")
	}
	if atr.Extended {
		r.Abilities = append(r.Abilities, "extended length")
	}
}

// pin returns the PIN that guards a key: the PIN that the key refers to, or the
// holder's only PIN. It returns nil when that is not known.
func (r *cardReport) pin(k keyReport) *pinReport {
	var own []*pinReport
	for i := range r.PINs {
		p := &r.PINs[i]
		if k.PIN != "" && k.PIN == p.ID {
			return p
		}
		if !p.Unblocks {
			own = append(own, p)
		}
	}
	if len(own) == 1 {
		return own[0]
	}
	return nil
}

func newCertificateReport(c smartkort.Certificate) certificateReport {
	r := certificateReport{
		ID: hex.EncodeToString(c.ID), Label: c.Label, Usage: []string{}, Key: c.Key.Kind(), KeyReference: c.Key.Reference,
		Bytes: len(c.DER), SHA256: fingerprint(c.DER),
	}
	parsed, err := x509.ParseCertificate(c.DER)
	if err != nil {
		r.Problem = err.Error()
		return r
	}
	r.Subject, r.Issuer = parsed.Subject.CommonName, parsed.Issuer.CommonName
	r.NotBefore, r.NotAfter = parsed.NotBefore, parsed.NotAfter
	switch public := parsed.PublicKey.(type) {
	case *rsa.PublicKey:
		r.Key = fmt.Sprintf("RSA %d bits", public.N.BitLen())
	case *ecdsa.PublicKey:
		r.Key = "EC " + public.Params().Name
	}
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
