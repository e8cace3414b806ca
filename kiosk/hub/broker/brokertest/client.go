package brokertest

import (
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256}

// authenticated checks the client's assertion or secret.
func (p *Provider) authenticated(r *http.Request) bool {
	if text := r.PostForm.Get("client_assertion"); text != "" {
		var c jwt.Claims
		if r.PostForm.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || !p.signedByClient(text, &c) {
			return false
		}
		if c.Subject != p.ClientID || c.ID == "" || p.seen[c.ID] {
			return false
		}
		p.seen[c.ID] = true
		return true
	}
	if p.Secret == "" {
		return false
	}
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok { // each encoded as in a form (RFC 6749 §2.3.1)
		id, _ = url.QueryUnescape(user)
		secret, _ = url.QueryUnescape(password)
	}
	return id == p.ClientID && secret == p.Secret
}

// signedByClient checks a JWT of the client for this provider.
func (p *Provider) signedByClient(text string, into ...any) bool {
	token, err := jwt.ParseSigned(text, algorithms)
	if err != nil {
		return false
	}
	var c jwt.Claims
	for _, k := range p.ClientKeys.Keys {
		if k.Use == "enc" || k.KeyID != token.Headers[0].KeyID {
			continue
		}
		if token.Claims(k, append(into, &c)...) == nil {
			return c.Expiry != nil && c.ValidateWithLeeway(jwt.Expected{Issuer: p.ClientID, AnyAudience: []string{p.Issuer}, Time: p.Now()}, time.Minute) == nil
		}
	}
	return false
}

// request returns the parameters of an authorization request that may be in a signed
// request object (RFC 9101).
func (p *Provider) request(q url.Values) (url.Values, string) {
	object := q.Get("request")
	if object == "" {
		if p.RequireRequestObject {
			return nil, "invalid_request"
		}
		return q, p.checkRequest(q)
	}
	var claims map[string]any
	if !p.signedByClient(object, &claims) {
		return nil, "invalid_request_object"
	}
	out := url.Values{}
	for name, v := range claims {
		if s, ok := v.(string); ok {
			out.Set(name, s)
		}
	}
	return out, p.checkRequest(out)
}

func (p *Provider) checkRequest(q url.Values) string {
	switch {
	case q.Get("client_id") != p.ClientID:
		return "unauthorized_client"
	case q.Get("redirect_uri") != p.RedirectURL:
		return "invalid_request"
	case q.Get("response_type") != "code":
		return "unsupported_response_type"
	case q.Get("code_challenge") == "" || q.Get("code_challenge_method") != "S256" || q.Get("state") == "" || q.Get("nonce") == "":
		return "invalid_request"
	}
	return ""
}
