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
// are, and by which keys and certificates they authenticate. It has no labels
// and no IDs, which may say something of a holder.
//
// A card is taken to have it when the whole of its TokenInfo but serial number
// and date is the same. That is no proof, so that, before a PIN is asked for:
//
//   - the directory of PINs is read from the card itself, and is the same to
//     the byte; with more than one PIN of the holder in it nothing is taken
//     from here, for only the card's own directory of keys says which guards
//     which;
//   - each certificate is read from the card itself, and is of a make that was
//     seen before in its place: issuer, key, purposes, policies.
//
// What is left open is that the key of this reference is the certificate's,
// which the signature proves. It costs no try of any PIN: a card that has its
// keys the other way round signs with the wrong one once, the signature goes
// nowhere, and the kind is forgotten.
type layout struct {
	Looks          []byte // digest of TokenInfo.looks
	ODF            []byte // EF.OD
	PINs           []byte // digest of the directory of PINs
	Authentication []expected
}

// expected is a certificate to authenticate with.
type expected struct {
	Path  Path
	Makes [][]byte // those seen, the newest last: issuers come and go
	Key   struct { // see Key
		Reference, Bits, UserConsent int
		Path                         Path
		Usage                        Usage
		AuthID                       []byte
		Algorithms                   []int
		Kind                         uint32
	}
}

// key gives what the card's directory would have said.
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

// maxMakes is how many makes are remembered of one place.
const maxMakes = 4

// adopt takes over what another layout has seen, where that is the same but for
// the makes of certificates.
func (l *layout) adopt(other layout) {
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

// ownLayout gives the card's own, with no certificates where others could not
// be told to be of their make.
func (c *Card) ownLayout() layout {
	l := layout{Looks: digest(c.token.looks), ODF: c.content(odfPath), PINs: c.pinsDigest()}
	if !c.keysRead || !c.certsRead || holders(c.pins) > 1 {
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

// expectedCertificates gives the certificates to authenticate with, read from
// where cards that look like this one have theirs; none when it turns out to
// be laid out otherwise, or has its own directories in memory.
func (c *Card) expectedCertificates(ctx context.Context) ([]Certificate, error) {
	if c.layout == nil || len(c.layout.Authentication) == 0 || c.known(c.odf.privateKeys) {
		return nil, nil
	}
	certs, err := c.readExpected(ctx)
	if misled(err) || err == nil && len(certs) == 0 {
		c.layout = nil
		return nil, nil
	}
	return certs, err
}

func (c *Card) readExpected(ctx context.Context) ([]Certificate, error) {
	pins, err := c.authObjects(ctx)
	if err != nil || holders(pins) > 1 || !bytes.Equal(c.pinsDigest(), c.layout.PINs) {
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

// holders counts the PINs that are the holder's.
func holders(pins []PIN) (n int) {
	for _, p := range pins {
		if !p.Unblocking && !p.Officer {
			n++
		}
	}
	return n
}

// pinsDigest is that of the directory of PINs, once it is read.
func (c *Card) pinsDigest() []byte {
	var all []byte
	for _, p := range c.odf.authObjects {
		all = append(all, c.content(p)...)
	}
	return digest(all)
}

// makeOf gives a digest of what certificates of one make have in common, nil
// of what is no certificate of a key that is known here.
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
