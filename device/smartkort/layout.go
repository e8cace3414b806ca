package smartkort

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"reflect"
	"slices"
)

// layout is what cards of one make have in common: where their directories
// are, and which keys and certificates they authenticate with. It has no
// labels and no IDs, which could say something about a holder.
//
// The driver assumes that a card has this layout when its TokenInfo is the
// same except for serial number and date. That is no proof. Therefore, before
// the holder enters a PIN:
//
//   - the driver reads the directory of PINs from the card, and it must be
//     identical to the remembered one. If it has more than one PIN of the
//     holder, the layout is not used, because only the card's own directory
//     of keys says which PIN guards which key;
//   - the driver reads each certificate from the card, and its make (issuer,
//     key, purposes, policies) must have been seen before in this place.
//
// It remains open whether the key with this reference belongs to the
// certificate. The signature proves that, and no PIN try is at stake: a card
// whose keys are in another order signs once with the wrong key, the driver
// discards the signature and forgets the layout.
type layout struct {
	Fingerprint    []byte // digest of TokenInfo.fingerprint
	ODF            []byte // EF.OD
	PINs           []byte // digest of the directory of PINs
	Authentication []expected
}

// expected is a certificate for authentication and its key.
type expected struct {
	Path  Path
	Makes [][]byte // makes that were seen here, the newest last, because issuers change
	Key   struct { // see Key
		Reference, Bits, UserConsent int
		Path                         Path
		Usage                        Usage
		AuthID                       []byte
		Algorithms                   []int
		Kind                         uint32
	}
}

// key returns the key as the card's directory would describe it.
func (e expected) key() Key {
	k := e.Key
	return Key{
		Reference: k.Reference, Path: k.Path, Bits: k.Bits, Usage: k.Usage, AuthID: k.AuthID, UserConsent: k.UserConsent,
		algorithms: k.Algorithms, kind: k.Kind,
	}
}

func (e expected) seen(made []byte) bool {
	return slices.ContainsFunc(e.Makes, func(m []byte) bool { return bytes.Equal(m, made) })
}

// maxMakes is the maximum number of makes that are remembered per place.
const maxMakes = 4

// mergeMakes adds the makes of certificates in another layout, if the layouts
// are otherwise equal.
func (l *layout) mergeMakes(other layout) {
	same := bytes.Equal(l.ODF, other.ODF) && bytes.Equal(l.PINs, other.PINs) &&
		slices.EqualFunc(l.Authentication, other.Authentication, func(a, b expected) bool {
			return reflect.DeepEqual(a.Path, b.Path) && reflect.DeepEqual(a.Key, b.Key)
		})
	if !same {
		return
	}
	for i := range l.Authentication {
		e := &l.Authentication[i]
		others := slices.DeleteFunc(other.Authentication[i].Makes, e.seen)
		e.Makes = append(others[max(0, len(others)+len(e.Makes)-maxMakes):], e.Makes...)
	}
}

// ownLayout returns the layout of this card. It has no certificates when the
// make of one of them cannot be determined.
func (c *Card) ownLayout() layout {
	l := layout{Fingerprint: digest(c.token.fingerprint), ODF: c.content(odfPath), PINs: c.pinsDigest()}
	if !c.keysRead || !c.certsRead && !c.headRead || holderPINs(c.pins) > 1 {
		return l
	}
	var list []expected
	for _, o := range c.certificates {
		key, ok := keyByID(c.keys, o.id)
		if !ok || o.authority || !key.Usage.Sign {
			continue
		}
		made := makeOf(c.content(o.path))
		if made == nil || o.direct != nil {
			return l
		}
		e := expected{Path: o.path, Makes: [][]byte{made}}
		e.Key.Reference, e.Key.Path, e.Key.Bits, e.Key.Usage = key.Reference, key.Path, key.Bits, key.Usage
		e.Key.AuthID, e.Key.UserConsent, e.Key.Algorithms, e.Key.Kind = key.AuthID, key.UserConsent, key.algorithms, key.kind
		list = append(list, e)
	}
	l.Authentication = list
	return l
}

// expectedCertificates reads the certificates for authentication from the
// places that the remembered layout names. It returns none when the card
// turns out to have another layout, or when its own directories are cached.
func (c *Card) expectedCertificates(ctx context.Context) ([]Certificate, error) {
	if c.layout == nil || len(c.layout.Authentication) == 0 || c.known(c.odf.privateKeys) {
		return nil, nil
	}
	certs, err := c.readExpected(ctx)
	if maybeStale(err) || err == nil && len(certs) == 0 {
		c.layout = nil
		return nil, nil
	}
	return certs, err
}

func (c *Card) readExpected(ctx context.Context) ([]Certificate, error) {
	pins, err := c.authObjects(ctx)
	if err != nil || holderPINs(pins) > 1 || !bytes.Equal(c.pinsDigest(), c.layout.PINs) {
		return nil, err
	}
	var certs []Certificate
	for _, e := range c.layout.Authentication {
		der, err := c.readObject(ctx, e.Path)
		if err != nil || !e.seen(makeOf(der)) {
			return nil, err
		}
		certs = append(certs, Certificate{DER: der, Key: e.key()})
	}
	return certs, nil
}

// holderPINs counts the PINs of the holder.
func holderPINs(pins []PIN) (n int) {
	for _, p := range pins {
		if !p.Unblocking && !p.Officer {
			n++
		}
	}
	return n
}

// pinsDigest returns the digest of the directory of PINs, which must have been
// read.
func (c *Card) pinsDigest() []byte {
	var all []byte
	for _, p := range c.odf.authObjects {
		all = append(all, c.content(p)...)
	}
	return digest(all)
}

// makeOf returns a digest of what certificates of one make have in common. It
// returns nil for an invalid certificate or an unknown kind of key.
func makeOf(der []byte) []byte {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	size := 0
	switch public := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		size = public.N.BitLen()
	case *ecdsa.PublicKey:
		size = public.Params().BitSize
	default:
		return nil
	}
	b := bytes.Clone(cert.RawIssuer)
	for _, n := range []int{int(cert.PublicKeyAlgorithm), size, int(cert.KeyUsage)} {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	for _, policy := range cert.Policies {
		b = append(append(b, policy.String()...), ' ')
	}
	return digest(b)
}

func digest(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}
