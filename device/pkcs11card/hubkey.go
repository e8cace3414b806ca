//go:build pkcs11

package pkcs11card

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"

	"github.com/miekg/pkcs11"
)

// Token is a token with keys of this machine, for example in an HSM. It stays open. A
// Module with an open Token must open no Card, because a process has only one Cryptoki.
type Token struct {
	module *Module
	label  string
	pin    func() ([]byte, error) // the caller of it wipes the PIN

	in *token // nil while it is not open; module.mu guards it
}

// OpenToken opens the token with a label. pin returns its PIN each time that it is needed.
func (m *Module) OpenToken(label string, pin func() ([]byte, error)) (*Token, error) {
	t := &Token{module: m, label: label, pin: pin}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := t.open(); err != nil {
		return nil, fmt.Errorf("cannot open token %q: %w", label, err)
	}
	return t, nil
}

// open opens the token. The caller holds module.mu.
func (t *Token) open() error {
	ctx := t.module.ctx
	// Another Token of the module may be open.
	if err := ctx.Initialize(); err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		return err
	}
	return t.logIn()
}

func (t *Token) logIn() error {
	ctx := t.module.ctx
	slots, err := ctx.GetSlotList(true)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(slots, func(slot uint) bool {
		info, err := ctx.GetTokenInfo(slot)
		return err == nil && strings.TrimRight(info.Label, " \x00") == t.label
	})
	if i < 0 {
		return errors.New("the module has no token with this label")
	}
	session, err := ctx.OpenSession(slots[i], pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return err
	}
	pin, err := t.pin()
	if err != nil {
		return err
	}
	defer clear(pin)
	err = t.module.login(session, pin)
	if err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)) {
		return fmt.Errorf("the token does not accept the PIN: %w", err)
	}
	t.in = &token{module: t.module, slot: slots[i], session: session}
	return nil
}

// retry calls do, and once more with the token opened again if it fails, for example after
// the token was unplugged. The module's other tokens then need the same. The caller holds module.mu.
func (t *Token) retry(do func() error) error {
	if t.in != nil {
		if err := do(); err == nil {
			return nil
		}
		t.close()
	}
	if err := t.open(); err != nil {
		return fmt.Errorf("cannot open token %q: %w", t.label, err)
	}
	return do()
}

func (t *Token) close() {
	if t.in != nil {
		_ = t.module.ctx.CloseAllSessions(t.in.slot)
		_ = t.module.ctx.Finalize()
		t.in = nil
	}
}

// Close closes the token.
func (t *Token) Close() {
	t.module.mu.Lock()
	defer t.module.mu.Unlock()
	t.close()
}

// TokenKey is a private key in a Token, RSA or ECDSA on P-256 or P-384. It is safe for
// concurrent use.
type TokenKey struct {
	Label  string
	token  *Token
	id     []byte // CKA_ID
	public crypto.PublicKey
}

// Keys returns the private keys whose label begins with prefix, in the order of their
// labels. Each needs a public key with the same CKA_ID.
func (t *Token) Keys(prefix string) (keys []*TokenKey, err error) {
	t.module.mu.Lock()
	defer t.module.mu.Unlock()
	err = t.retry(func() error { keys, err = t.keys(prefix); return err })
	if err != nil {
		return nil, fmt.Errorf("cannot list the keys of token %q: %w", t.label, err)
	}
	return keys, nil
}

// maxKeys bounds how many keys of a token are looked at.
const maxKeys = 100

func (t *Token) keys(prefix string) ([]*TokenKey, error) {
	objects, err := t.in.find([]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY)}, maxKeys)
	if err != nil {
		return nil, err
	}
	var keys []*TokenKey
	for _, object := range objects {
		values, err := t.module.ctx.GetAttributeValue(t.in.session, object, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_LABEL, nil), pkcs11.NewAttribute(pkcs11.CKA_ID, nil)})
		if err != nil {
			return nil, err
		}
		k := &TokenKey{Label: string(values[0].Value), token: t, id: values[1].Value}
		if !strings.HasPrefix(k.Label, prefix) {
			continue
		}
		if k.public, err = t.publicKey(k.id); err != nil {
			return nil, fmt.Errorf("key %q: %w", k.Label, err)
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b *TokenKey) int { return cmp.Or(strings.Compare(a.Label, b.Label), bytes.Compare(a.id, b.id)) })
	return keys, nil
}

// curves are those of TokenKeys, by their OID (RFC 5480 §2.1.1.1).
var curves = map[string]elliptic.Curve{"1.2.840.10045.3.1.7": elliptic.P256(), "1.3.132.0.34": elliptic.P384()}

// publicKey returns the public key with an id.
func (t *Token) publicKey(id []byte) (crypto.PublicKey, error) {
	objects, err := t.in.find([]*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY), pkcs11.NewAttribute(pkcs11.CKA_ID, id)}, 1)
	if err != nil {
		return nil, err
	}
	if len(objects) == 0 {
		return nil, errors.New("the token has no public key for it")
	}
	get := func(kinds ...uint) ([][]byte, error) {
		var ask []*pkcs11.Attribute
		for _, kind := range kinds {
			ask = append(ask, pkcs11.NewAttribute(kind, nil))
		}
		values, err := t.module.ctx.GetAttributeValue(t.in.session, objects[0], ask)
		if err != nil {
			return nil, err
		}
		var out [][]byte
		for _, v := range values {
			out = append(out, v.Value)
		}
		return out, nil
	}
	if v, err := get(pkcs11.CKA_MODULUS, pkcs11.CKA_PUBLIC_EXPONENT); err == nil {
		e := new(big.Int).SetBytes(v[1])
		if !e.IsInt64() || e.Int64() > 1<<31-1 {
			return nil, errors.New("the public exponent is too large")
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(v[0]), E: int(e.Int64())}, nil
	}
	v, err := get(pkcs11.CKA_EC_PARAMS, pkcs11.CKA_EC_POINT)
	if err != nil {
		return nil, errors.New("the key is neither RSA nor ECDSA")
	}
	return ecPublicKey(v[0], v[1])
}

// ecPublicKey reads CKA_EC_PARAMS and CKA_EC_POINT (PKCS #11 §6.3.3).
func ecPublicKey(params, point []byte) (crypto.PublicKey, error) {
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(params, &oid); err != nil || len(rest) > 0 {
		return nil, errors.New("the curve has no name")
	}
	curve, ok := curves[oid.String()]
	if !ok {
		return nil, fmt.Errorf("the curve %s is neither P-256 nor P-384", oid)
	}
	var raw []byte
	if rest, err := asn1.Unmarshal(point, &raw); err != nil || len(rest) > 0 {
		raw = point // some modules leave out the OCTET STRING
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, raw)
	if err != nil {
		return nil, errors.New("the public key is no point of its curve")
	}
	return public, nil
}

// Public implements crypto.Signer.
func (k *TokenKey) Public() crypto.PublicKey { return k.public }

// Sign implements crypto.Signer for SHA-256, SHA-384 and SHA-512.
func (k *TokenKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) (signature []byte, err error) {
	t := k.token
	t.module.mu.Lock()
	defer t.module.mu.Unlock()
	err = t.retry(func() error {
		objects, err := t.in.find([]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), pkcs11.NewAttribute(pkcs11.CKA_ID, k.id)}, 1)
		if err != nil {
			return err
		}
		if len(objects) == 0 {
			return errors.New("the token does not have it any more")
		}
		in := signer{context.Background(), t.in, objects[0]}
		switch public := k.public.(type) {
		case *rsa.PublicKey:
			signature, err = (&rsaSigner{in, public}).Sign(nil, digest, opts)
		case *ecdsa.PublicKey:
			signature, err = (&ecSigner{in, public}).Sign(nil, digest, opts)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot use key %q: %w", k.Label, err)
	}
	return signature, nil
}
