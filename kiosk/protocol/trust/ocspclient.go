package trust

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// OCSPRules are a domain's settings for requests to a responder (RFC 6960).
type OCSPRules struct {
	URL           string        // of the responder; "": the URL in the certificate
	Timeout       time.Duration // of one request; 0 means 3 s
	MaxAge        time.Duration // maximum since thisUpdate; 0 means 24 h
	NonceOptional bool          // accept an answer without a nonce
}

func (r *OCSPRules) timeout() time.Duration {
	if r.Timeout == 0 {
		return 3 * time.Second
	}
	return r.Timeout
}

func (r *OCSPRules) maxAge() time.Duration {
	if r.MaxAge == 0 {
		return 24 * time.Hour
	}
	return r.MaxAge
}

const (
	ocspNonce   = 32       // bytes (RFC 9654 §2.1)
	maxOCSP     = 64 << 10 // maximum length of a response, bytes
	maxOCSPKept = 10_000   // maximum number of cached answers
)

// OCSP sends requests to responders and caches each answer until it expires. It
// does not cache answers without a nextUpdate. It is safe for concurrent use.
type OCSP struct {
	// OnRevoked, if set, is called once for each fetched answer that says
	// "revoked". Set it before the first request.
	OnRevoked func(Revocation)

	client *http.Client
	random io.Reader

	mu     sync.Mutex
	kept   map[[sha256.Size]byte]ocspAnswer
	newest time.Time
}

// NewOCSP returns an OCSP that sends its requests through transport. It reads
// nonces from random, which must be cryptographically secure like
// crypto/rand.Reader.
func NewOCSP(transport http.RoundTripper, random io.Reader) *OCSP {
	return &OCSP{
		// Redirects are not followed: a responder does not need them.
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		random: random,
		kept:   map[[sha256.Size]byte]ocspAnswer{},
	}
}

// Newest returns the newest thisUpdate of the answers that responders have signed; zero if
// there was no answer.
func (o *OCSP) Newest() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.newest
}

// ask returns the responder's answer about cert. It uses the cached answer if
// that is valid at the given time.
func (o *OCSP) ask(ctx context.Context, d *domain, cert, issuer *x509.Certificate, at time.Time) (ocspAnswer, error) {
	key := sha256.Sum256(bytes.Join([][]byte{[]byte(d.Name), issuer.Raw, cert.Raw}, []byte{0}))
	o.mu.Lock()
	kept, ok := o.kept[key]
	o.mu.Unlock()
	if ok && !at.After(kept.until) && begun(kept.this, at, d.skew()) {
		return kept, nil
	}
	answer, err := o.fetch(ctx, d, cert, issuer, at)
	if err == nil {
		o.keep(key, answer, at)
	}
	if err == nil && answer.revoked && o.OnRevoked != nil {
		o.OnRevoked(Revocation{Domain: d.Name, Issuer: cert.RawIssuer, Serial: serialContent(cert.SerialNumber), At: answer.this})
	}
	return answer, err
}

// keep notes the time of an answer, and adds the answer to the cache if that says until when
// it is valid. If the cache is full, keep removes the expired answers, and arbitrary ones if
// that is not enough.
func (o *OCSP) keep(key [sha256.Size]byte, answer ocspAnswer, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if answer.this.After(o.newest) {
		o.newest = answer.this
	}
	if answer.until.IsZero() {
		return
	}
	if len(o.kept) >= maxOCSPKept {
		for k, a := range o.kept {
			if at.After(a.until) {
				delete(o.kept, k)
			}
		}
		for k := range o.kept {
			if len(o.kept) < maxOCSPKept {
				break
			}
			delete(o.kept, k)
		}
	}
	o.kept[key] = answer
}

// fetch sends one request to the responder.
func (o *OCSP) fetch(ctx context.Context, d *domain, cert, issuer *x509.Certificate, at time.Time) (ocspAnswer, error) {
	address := d.OCSP.URL
	if address == "" {
		if len(cert.OCSPServer) == 0 {
			return ocspAnswer{}, errors.New("the certificate names no responder")
		}
		address = cert.OCSPServer[0]
	}
	if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return ocspAnswer{}, fmt.Errorf("its address %.100q is no http URL", address)
	}
	id := newCertID(cert, issuer)
	nonce := make([]byte, ocspNonce)
	if _, err := io.ReadFull(o.random, nonce); err != nil {
		return ocspAnswer{}, err
	}
	body, err := ocspRequest(id, nonce)
	if err != nil {
		return ocspAnswer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.OCSP.timeout())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return ocspAnswer{}, err
	}
	request.Header.Set("Content-Type", "application/ocsp-request")
	response, err := o.client.Do(request)
	if err != nil {
		return ocspAnswer{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return ocspAnswer{}, fmt.Errorf("it answered %s", response.Status)
	}
	der, err := io.ReadAll(io.LimitReader(response.Body, maxOCSP+1))
	if err != nil {
		return ocspAnswer{}, err
	}
	if len(der) > maxOCSP {
		return ocspAnswer{}, fmt.Errorf("its answer has more than %d bytes", maxOCSP)
	}
	return d.judgeOCSP(der, id, nonce, issuer, at)
}
