package hub

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/protocol/webeid"
)

// Validator verifies a Web eID token for a nonce, without using the network. The error is
// a *trust.Refusal if the token proves no holder; any other error means that the token
// could not be verified.
type Validator interface {
	Verify(token []byte, nonce string, at time.Time) (Proof, error)
}

// Proof is a token that proves a holder, as far as that can be known without asking for
// revocation.
type Proof struct {
	Holder kiosk.Holder
	// CheckRevocation asks the CA's OCSP responder or reads its CRL. The error is a
	// *trust.Refusal if the certificate is revoked or if that is unknown when ctx ends.
	CheckRevocation func(ctx context.Context, at time.Time) error
}

// Trust holds the trust domains of a hub and the CRLs that were fetched last. It is safe
// for concurrent use.
type Trust struct {
	origin  string
	earlier []string // origins that some kiosks still use
	ocsp    *trust.OCSP
	files   *trust.Domains // as in the operator's files

	current atomic.Pointer[inForce]

	renewing sync.Mutex // held while a new current is made
	fetched  map[string][]*trust.CRL
	revoked  map[string]trust.Revocation // reports of OCSP responders; see revokedKey

	mu   sync.Mutex
	sets map[string]*trust.CRL // by digest: the current ones and the ones before them
}

// signedTime returns the newest time that a CA has signed in an OCSP answer, or zero.
// Kiosks get the times of CRLs with the CRL sets.
func (t *Trust) signedTime() time.Time {
	if t.ocsp == nil {
		return time.Time{}
	}
	return t.ocsp.Newest()
}

// inForce are the current trust domains, and the CRL sets that policies name.
type inForce struct {
	domains *trust.Domains
	crls    []hubpolicy.CRL
}

// NewTrust makes a Trust for tokens with this origin, the hub's URL. Without ocsp it asks
// no OCSP responder.
func NewTrust(origin string, domains *trust.Domains, ocsp *trust.OCSP) (*Trust, error) {
	t := &Trust{origin: origin, ocsp: ocsp, files: domains, sets: map[string]*trust.CRL{}, revoked: map[string]trust.Revocation{}}
	return t, t.renew(nil)
}

// renew replaces the fetched CRLs, given by their domain. The CRLs in the operator's
// files stay.
func (t *Trust) renew(fetched map[string][]*trust.CRL) error {
	t.renewing.Lock()
	defer t.renewing.Unlock()
	t.fetched = fetched
	return t.rebuild()
}

// replace replaces the trust domains of the operator's files, and the fetched CRLs. After an
// error both stay as they were.
func (t *Trust) replace(files *trust.Domains, fetched map[string][]*trust.CRL) error {
	t.renewing.Lock()
	defer t.renewing.Unlock()
	files, t.files = t.files, files
	fetched, t.fetched = t.fetched, fetched
	err := t.rebuild()
	if err != nil {
		t.files, t.fetched = files, fetched
	}
	return err
}

// addRevoked adds a responder's report that a certificate is revoked to the CRLs.
func (t *Trust) addRevoked(r trust.Revocation) error {
	t.renewing.Lock()
	defer t.renewing.Unlock()
	key := revokedKey(r)
	if before, ok := t.revoked[key]; ok && !r.At.After(before.At) {
		return nil
	}
	t.revoked[key] = r
	return t.rebuild()
}

// rebuild replaces current. The caller holds renewing.
func (t *Trust) rebuild() error {
	revoked := slices.Collect(maps.Values(t.revoked))
	next := &inForce{domains: t.files.WithCRLs(t.fetched).WithRevoked(revoked), crls: []hubpolicy.CRL{}}
	sets := map[string]*trust.CRL{}
	for _, name := range next.domains.Names() {
		for _, crl := range next.domains.CRLs(name) {
			sum := sha256.New()
			size, err := crl.WriteTo(sum)
			if err != nil {
				return fmt.Errorf("cannot hash a CRL of trust domain %s: %w", name, err)
			}
			digest := hex.EncodeToString(sum.Sum(nil))
			next.crls = append(next.crls, hubpolicy.CRL{Domain: name, Digest: digest, Size: size})
			sets[digest] = crl
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if before := t.current.Swap(next); before != nil {
		for _, c := range before.crls { // a kiosk with the policy before may still ask for them
			if sets[c.Digest] == nil {
				sets[c.Digest] = t.sets[c.Digest]
			}
		}
	}
	t.sets = sets
	return nil
}

// set returns the CRL with this digest, or nil.
func (t *Trust) set(digest string) *trust.CRL {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sets[digest]
}

// Verify implements Validator.
func (t *Trust) Verify(token []byte, nonce string, at time.Time) (Proof, error) {
	path, err := fromAnyOrigin(t, nil, func(v webeid.Validator) (*trust.Path, error) { return v.Verify(token, nonce, at) })
	if err != nil {
		return Proof{}, err
	}
	return Proof{path.Holder, func(ctx context.Context, at time.Time) error {
		return path.CheckRevocation(ctx, t.ocsp, at)
	}}, nil
}

// Signer returns the holder of a certificate for signatures of documents, by the current
// trust domains. The error is a *trust.Refusal.
func (t *Trust) Signer(cert *x509.Certificate, at time.Time) (holder kiosk.Holder, checkRevocation func(context.Context, time.Time) error, err error) {
	path, err := t.current.Load().domains.Path(cert, trust.Sign, at)
	if err != nil {
		return kiosk.Holder{}, nil, err
	}
	return path.Holder, func(ctx context.Context, at time.Time) error { return path.CheckRevocation(ctx, t.ocsp, at) }, nil
}

// Prove verifies a token with the current trust domains; see webeid.Validator.Prove.
func (t *Trust) Prove(ctx context.Context, token []byte, nonce string, at, revocation time.Time) (webeid.Proof, error) {
	return fromAnyOrigin(t, t.ocsp, func(v webeid.Validator) (webeid.Proof, error) {
		return v.Prove(ctx, token, nonce, at, revocation)
	})
}

// fromAnyOrigin calls verify for the hub's URL. If the signature is wrong, it may be for one
// of the earlier URLs.
func fromAnyOrigin[T any](t *Trust, ocsp *trust.OCSP, verify func(webeid.Validator) (T, error)) (T, error) {
	v := webeid.Validator{Origin: t.origin, Domains: t.current.Load().domains, OCSP: ocsp}
	proven, first := verify(v)
	for _, v.Origin = range t.earlier {
		if refusal, ok := errors.AsType[*trust.Refusal](first); !ok || refusal.Reason != kiosk.Signature {
			break
		}
		if other, err := verify(v); err == nil {
			return other, nil
		}
	}
	return proven, first
}
