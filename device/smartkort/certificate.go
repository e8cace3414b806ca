package smartkort

import (
	"bytes"
	"context"
	"fmt"

	"smartkiosk/device/apdu/tlv"
)

// Certificate is a certificate of the card's holder and the key it is for.
type Certificate struct {
	ID    []byte // the same as the key's
	Label string
	DER   []byte
	Key   Key
}

// certificateObject is one entry of the certificate directory.
type certificateObject struct {
	id        []byte
	label     string
	authority bool
	path      Path
	direct    []byte // the certificate itself, where the directory holds it
}

// Certificates reads every certificate that a private key of the card belongs
// to, in the card's own order. Certificates of authorities and of others are
// left unread, and so is every byte that is padding.
func (c *Card) Certificates(ctx context.Context) ([]Certificate, error) {
	keys, err := c.privateKeys(ctx)
	if err != nil {
		return nil, err
	}
	objects, err := c.certificateObjects(ctx)
	if err != nil {
		return nil, err
	}
	var certs []Certificate
	for _, o := range objects {
		key, ok := keyByID(keys, o.id)
		if o.authority || !ok {
			continue
		}
		if len(certs) == maxCerts {
			return nil, fmt.Errorf("cannot read certificates: %w: over %d of them", ErrMalformed, maxCerts)
		}
		der := o.direct
		if der == nil {
			if der, err = c.readObject(ctx, o.path); err != nil {
				return nil, fmt.Errorf("cannot read certificate %X: %w", o.id, err)
			}
		}
		certs = append(certs, Certificate{ID: o.id, Label: o.label, DER: der, Key: key})
	}
	return certs, nil
}

func keyByID(keys []Key, id []byte) (Key, bool) {
	for _, k := range keys {
		if bytes.Equal(k.ID, id) {
			return k, true
		}
	}
	return Key{}, false
}

// certificateObjects reads the certificate directories, once per Card.
func (c *Card) certificateObjects(ctx context.Context) ([]certificateObject, error) {
	if c.certsRead {
		return c.certificates, nil
	}
	var objects []certificateObject
	err := c.readObjects(ctx, c.odf.certificates, func(o tlv.Object) error {
		if o.Tag != tagSequence { // other than X.509: PGP, WTLS, …
			return nil
		}
		object, err := decodeCertificate(o)
		objects = append(objects, object)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read certificate directory: %w", err)
	}
	c.certificates, c.certsRead = objects, true
	return objects, nil
}

// decodeCertificate reads an X.509 CertificateType: CommonObjectAttributes,
// CommonCertificateAttributes (iD, authority DEFAULT FALSE, more),
// type attributes [1] with the value: a path, or [0] the certificate itself
// (ISO 7816-15 §8.7).
func decodeCertificate(o tlv.Object) (certificateObject, error) {
	f := fields{rest: o.Value}
	c := certificateObject{label: f.common().label}
	a := f.sequence(tagSequence)
	c.id = a.required(tagOctetString)
	c.authority = a.boolean()
	f.into(a)
	f.optional(tag0)
	outer := fields{rest: f.required(tag1), err: f.err}
	t := outer.sequence(tagSequence)
	if direct, ok := t.optional(tag0); ok {
		c.direct = direct
	} else {
		c.path = t.path()
	}
	return c, t.err
}
