package smartkort

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"smartkiosk/device/apdu/tlv"
)

// Certificate is a certificate of the card's holder and its private key.
type Certificate struct {
	ID    []byte // the same as the key's ID; nil when the card's directory was not read
	Label string // "" when the card's directory was not read
	DER   []byte
	Key   Key
}

// certificateObject is one entry of the certificate directory.
type certificateObject struct {
	id        []byte
	label     string
	authority bool
	path      Path
	direct    []byte // the certificate itself, when it is in the directory
}

// Certificates reads every certificate that belongs to a private key of the
// card, in the order of the card's directory. It reads no padding.
func (c *Card) Certificates(ctx context.Context) ([]Certificate, error) {
	return c.certificatesOf(ctx, func(Key) bool { return true })
}

// AuthenticationCertificates returns the certificates whose keys are for
// authentication according to the card's directory. It does not read the
// others. If the directory marks no key for authentication, it reads all
// certificates, so that the caller can judge them by their content.
//
// For a remembered card or kind it skips the card's directories; ID and Label
// are then empty. If the caller can use none of the certificates, it must call
// AuthenticationCertificates again: the second call ignores the cache and
// reads everything from the card.
func (c *Card) AuthenticationCertificates(ctx context.Context) ([]Certificate, error) {
	if c.offered && (c.layout != nil || len(c.memory) > 0) {
		if err := c.rereadCard(ctx); err != nil {
			return nil, fmt.Errorf("cannot read certificates: %w", err)
		}
	}
	c.headRead, c.wholeCerts = c.headRead && !c.offered, c.offered
	c.offered = true
	if certs, err := c.expectedCertificates(ctx); len(certs) > 0 || err != nil {
		return certs, err
	}
	certs, err := c.certificatesOf(ctx, func(k Key) bool { return k.Usage.Sign })
	if err != nil || len(certs) > 0 {
		return certs, err
	}
	return c.Certificates(ctx)
}

// SignatureCertificates returns the certificates whose keys are for signatures of
// documents according to the card's directory. If the directory marks no key for them,
// it reads all certificates.
func (c *Card) SignatureCertificates(ctx context.Context) ([]Certificate, error) {
	certs, err := c.certificatesOf(ctx, func(k Key) bool { return k.Usage.NonRepudiation })
	if err != nil || len(certs) > 0 {
		return certs, err
	}
	return c.Certificates(ctx)
}

// Authorities reads the certificates on the card that belong to no key: the
// issuers' certificates, for building paths. That a certificate is on the card
// is no reason to trust it.
func (c *Card) Authorities(ctx context.Context) ([]Certificate, error) {
	keys, err := c.privateKeys(ctx)
	if err != nil {
		return nil, err
	}
	objects, err := c.certificateObjects(ctx)
	if err != nil {
		return nil, err
	}
	others, err := c.readCertificateObjects(ctx, c.odf.authorities)
	if err != nil {
		return nil, err
	}
	return c.readCertificates(ctx, slices.Concat(objects, others), func(o certificateObject) (Key, bool) {
		_, own := keyByID(keys, o.id)
		return Key{}, o.authority || !own
	})
}

// certificatesOf reads the certificates of the keys for which want returns
// true. If the remembered directories turn out to be wrong, it reads
// everything again from the card.
func (c *Card) certificatesOf(ctx context.Context, want func(Key) bool) ([]Certificate, error) {
	certs, err := c.certificatesByDirectory(ctx, want)
	if len(c.memory) > 0 && (maybeStale(err) || err == nil && len(certs) == 0) {
		if err := c.rereadCard(ctx); err != nil {
			return nil, fmt.Errorf("cannot read certificates: %w", err)
		}
		return c.certificatesByDirectory(ctx, want)
	}
	return certs, err
}

func (c *Card) certificatesByDirectory(ctx context.Context, want func(Key) bool) ([]Certificate, error) {
	keys, err := c.privateKeys(ctx)
	if err != nil {
		return nil, err
	}
	wanted := slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return !want(k) })
	objects, ok, err := c.headObjects(ctx, wanted)
	if err == nil && !ok {
		objects, err = c.certificateObjects(ctx)
	}
	if err != nil {
		return nil, err
	}
	return c.readCertificates(ctx, objects, func(o certificateObject) (Key, bool) {
		key, ok := keyByID(keys, o.id)
		return key, ok && !o.authority && want(key)
	})
}

// readCertificates reads the certificates that want selects. It skips one that
// cannot be read and notes it. If none can be read, it returns the error of the
// first.
func (c *Card) readCertificates(ctx context.Context, objects []certificateObject, want func(certificateObject) (Key, bool)) ([]Certificate, error) {
	var certs []Certificate
	var problem error
	for _, o := range objects {
		key, ok := want(o)
		if !ok {
			continue
		}
		if len(certs) == maxCerts {
			return nil, fmt.Errorf("cannot read certificates: %w: more than %d certificates", ErrMalformed, maxCerts)
		}
		der, err := o.direct, error(nil)
		if der == nil {
			if der, err = c.readObject(ctx, o.path); err != nil {
				err = fmt.Errorf("cannot read certificate %X: %w", o.id, err)
				if !skippable(err) || len(c.memory) > 0 {
					return nil, err
				}
				c.note("certificate directory", err)
				if problem == nil {
					problem = err
				}
				continue
			}
		}
		certs = append(certs, Certificate{ID: o.id, Label: o.label, DER: der, Key: key})
	}
	if len(certs) == 0 {
		return nil, problem
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
	objects, err := c.readCertificateObjects(ctx, c.odf.certificates)
	if err != nil {
		return nil, err
	}
	c.certificates, c.certsRead = objects, true
	return objects, nil
}

func (c *Card) readCertificateObjects(ctx context.Context, paths []Path) ([]certificateObject, error) {
	var objects []certificateObject
	_, err := c.readObjects(ctx, "certificate", paths, func(o tlv.Object) error {
		if o.Tag != tagSequence { // not X.509: PGP, WTLS, …
			return nil
		}
		object, err := decodeCertificate(o)
		if err == nil {
			objects = append(objects, object)
		}
		return err
	})
	return objects, err
}

// decodeCertificate decodes an X.509 CertificateType: CommonObjectAttributes,
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
