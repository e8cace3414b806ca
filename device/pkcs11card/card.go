//go:build pkcs11

package pkcs11card

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"smartkiosk/device/smartkort"
)

// Card is a card during one visit. It is not for concurrent use.
type Card struct {
	module *Module
	tokens []*token
	closed bool
}

// token is a PIN of the card and the objects that it guards.
type token struct {
	module  *Module
	slot    uint
	session pkcs11.SessionHandle
}

// Certificate is a holder's certificate on the card.
type Certificate struct {
	ID    []byte // CKA_ID; the key has the same
	Label string
	DER   []byte
	token *token
}

// maxCertificates is the most certificates that are read from one card.
const maxCertificates = 16

// Certificates returns the certificates except those of authorities. Signer
// finds out whether a certificate has a key, because modules may hide keys until
// the PIN is verified.
func (c *Card) Certificates(ctx context.Context) ([]Certificate, error) {
	var all []Certificate
	for _, t := range c.tokens {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("cannot read certificates: %w", err)
		}
		certs, err := t.certificates(maxCertificates - len(all))
		if err != nil {
			return nil, fmt.Errorf("cannot read certificates: %w", err)
		}
		all = append(all, certs...)
	}
	return all, nil
}

func (t *token) certificates(max int) ([]Certificate, error) {
	objects, err := t.find([]*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE),
		pkcs11.NewAttribute(pkcs11.CKA_CERTIFICATE_TYPE, pkcs11.CKC_X_509),
	}, max+1)
	if err != nil {
		return nil, err
	}
	if len(objects) > max {
		return nil, fmt.Errorf("%w: more than %d certificates", smartkort.ErrMalformed, maxCertificates)
	}
	var certs []Certificate
	for _, object := range objects {
		values, err := t.module.ctx.GetAttributeValue(t.session, object, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_ID, nil),
			pkcs11.NewAttribute(pkcs11.CKA_LABEL, nil),
			pkcs11.NewAttribute(pkcs11.CKA_VALUE, nil),
		})
		if err != nil {
			return nil, err
		}
		cert := Certificate{ID: values[0].Value, Label: string(values[1].Value), DER: values[2].Value, token: t}
		if parsed, err := x509.ParseCertificate(cert.DER); err == nil && parsed.IsCA {
			continue
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// find returns at most max objects with these attributes.
func (t *token) find(attributes []*pkcs11.Attribute, max int) ([]pkcs11.ObjectHandle, error) {
	ctx := t.module.ctx
	if err := ctx.FindObjectsInit(t.session, attributes); err != nil {
		return nil, err
	}
	objects, _, err := ctx.FindObjects(t.session, max)
	return objects, errors.Join(err, ctx.FindObjectsFinal(t.session))
}

// Close logs out and releases the card. It may be called more than once and
// after the card was removed. The module decides whether it resets the card.
func (c *Card) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	c.module.mu.Lock()
	defer c.module.mu.Unlock()
	c.module.open = false
	if err := c.end(); err != nil {
		return fmt.Errorf("cannot release card: %w", err)
	}
	return nil
}

// end undoes Initialize. It ignores the errors of the calls before C_Finalize,
// which fail when the card was removed.
func (c *Card) end() error {
	ctx := c.module.ctx
	for _, t := range c.tokens {
		_ = ctx.Logout(t.session)
		_ = ctx.CloseAllSessions(t.slot)
	}
	return ctx.Finalize()
}
