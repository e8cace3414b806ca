package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/protocol/webeid"
)

// Validator judges a Web eID token for a nonce. A token that proves nobody is
// a *trust.Refusal; any other error says that it cannot judge.
type Validator interface {
	Validate(ctx context.Context, token []byte, nonce string, at time.Time) (kiosk.Holder, error)
}

// Trust is whose cards a hub trusts, with the CRLs as they were fetched last.
// Many may use it at once.
type Trust struct {
	origin string
	ocsp   *trust.OCSP
	files  *trust.Domains // as the operator's files have them

	current atomic.Pointer[inForce]

	mu   sync.Mutex
	sets map[string]*trust.CRL // by digest: those in force, and those before
}

// inForce are domains and the CRL sets that kiosks are told of with them.
type inForce struct {
	domains *trust.Domains
	crls    []hubpolicy.CRL
}

// NewTrust trusts the domains for tokens of an origin, the hub's URL. ocsp may be
// nil: then no responder is asked.
func NewTrust(origin string, domains *trust.Domains, ocsp *trust.OCSP) (*Trust, error) {
	t := &Trust{origin: origin, ocsp: ocsp, files: domains, sets: map[string]*trust.CRL{}}
	return t, t.renew(nil)
}

// renew puts CRLs, by their domain, beside those of the operator's files.
func (t *Trust) renew(fetched map[string][]*trust.CRL) error {
	next := &inForce{domains: t.files.WithCRLs(fetched), crls: []hubpolicy.CRL{}}
	sets := map[string]*trust.CRL{}
	for _, name := range next.domains.Names() {
		for _, crl := range next.domains.CRLs(name) {
			sum := sha256.New()
			size, err := crl.WriteTo(sum)
			if err != nil {
				return fmt.Errorf("cannot name a CRL of trust domain %s: %w", name, err)
			}
			digest := hex.EncodeToString(sum.Sum(nil))
			next.crls = append(next.crls, hubpolicy.CRL{Domain: name, Digest: digest, Size: size})
			sets[digest] = crl
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if before := t.current.Swap(next); before != nil {
		for _, c := range before.crls { // a kiosk may be about to ask for them
			if sets[c.Digest] == nil {
				sets[c.Digest] = t.sets[c.Digest]
			}
		}
	}
	t.sets = sets
	return nil
}

// set gives the CRL of a digest, nil if there is none.
func (t *Trust) set(digest string) *trust.CRL {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sets[digest]
}

// Validate is webeid.Validator's.
func (t *Trust) Validate(ctx context.Context, token []byte, nonce string, at time.Time) (kiosk.Holder, error) {
	p, err := t.Prove(ctx, token, nonce, at, at)
	return p.Holder, err
}

// Prove is webeid.Validator's.
func (t *Trust) Prove(ctx context.Context, token []byte, nonce string, at, revocation time.Time) (webeid.Proof, error) {
	v := webeid.Validator{Origin: t.origin, Domains: t.current.Load().domains, OCSP: t.ocsp}
	return v.Prove(ctx, token, nonce, at, revocation)
}
