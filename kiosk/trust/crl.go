package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"smartkiosk/kiosk"
)

// CRL is what one issuer has revoked (RFC 5280 §5), its signature checked.
type CRL struct {
	ThisUpdate time.Time
	NextUpdate time.Time // zero if it says none
	Number     *big.Int  // nil if it has none
	issuer     []byte    // the issuer's name, DER
	serials    map[string]bool
}

// ParseCRL reads a CRL, DER or PEM, that one of the issuers has signed.
func ParseCRL(data []byte, issuers []*x509.Certificate) (*CRL, error) {
	if block, _ := pem.Decode(data); block != nil {
		data = block.Bytes
	}
	list, err := x509.ParseRevocationList(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read CRL: %w", err)
	}
	var signed bool
	for _, ca := range issuers {
		if bytes.Equal(ca.RawSubject, list.RawIssuer) && list.CheckSignatureFrom(ca) == nil {
			signed = true
		}
	}
	if !signed {
		return nil, errors.New("cannot use CRL: no CA of the trust domain has signed it")
	}
	c := &CRL{ThisUpdate: list.ThisUpdate, NextUpdate: list.NextUpdate, Number: list.Number, issuer: list.RawIssuer, serials: map[string]bool{}}
	for _, e := range list.RevokedCertificateEntries {
		c.serials[string(e.SerialNumber.Bytes())] = true
	}
	return c, nil
}

// CheckRevocation judges by the CRLs of p's domain whether the holder's
// certificate was revoked before the given time. Not to know is a *Refusal
// too.
func (p *Path) CheckRevocation(at time.Time) error {
	if p.domain.Unrevocable {
		return nil
	}
	leaf := p.Chain[0]
	unknown := Refuse(kiosk.RevocationUnknown, "no CRL of its issuer is at hand")
	for _, crl := range p.domain.CRLs {
		if !bytes.Equal(crl.issuer, leaf.RawIssuer) {
			continue
		}
		switch {
		case crl.serials[string(leaf.SerialNumber.Bytes())]:
			return Refuse(kiosk.Revoked, "the issuer's CRL of %s lists it", crl.ThisUpdate.UTC().Format(time.RFC3339))
		case crl.ThisUpdate.After(at):
			unknown = Refuse(kiosk.RevocationUnknown, "the issuer's CRL is of %s, which is to come", crl.ThisUpdate.UTC().Format(time.RFC3339))
		case !crl.NextUpdate.IsZero() && at.After(crl.NextUpdate):
			unknown = Refuse(kiosk.RevocationUnknown, "the issuer's CRL was good until %s", crl.NextUpdate.UTC().Format(time.RFC3339))
		default:
			return nil
		}
	}
	return unknown
}
