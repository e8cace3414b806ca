package broker

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"smartkiosk/kiosk"
)

// Algorithms that are accepted. "none" and those with a shared secret are not among them.
var (
	signatureAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
	keyAlgorithms       = []jose.KeyAlgorithm{jose.RSA_OAEP_256, jose.RSA_OAEP, jose.ECDH_ES, jose.ECDH_ES_A128KW, jose.ECDH_ES_A256KW}
	contentAlgorithms   = []jose.ContentEncryption{jose.A128GCM, jose.A256GCM, jose.A128CBC_HS256, jose.A256CBC_HS512}
)

// Bounds of the times in a token.
const (
	skew     = time.Minute      // between the broker's clock and the hub's
	tokenAge = 10 * time.Minute // from the broker's login to its token
)

// maxSubject is the maximum length of sub (OpenID Connect Core §2).
const maxSubject = 255

// idToken checks the ID token (OpenID Connect Core §3.1.3.7) and returns its claims.
func (c *Client) idToken(ctx context.Context, p *provider, f Flow, token *oauth2.Token) (*claims, error) {
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return nil, refuse(kiosk.BrokerAnswer, "the token endpoint answered without an ID token")
	}
	signed, err := c.open("ID token", raw)
	if err != nil {
		return nil, err
	}
	verified, err := c.verify(ctx, p, "ID token", signed, &oidc.Config{ClientID: c.config.ClientID})
	if err != nil {
		return nil, err
	}
	var out claims
	if err := out.read(verified); err != nil {
		return nil, err
	}
	now := c.now()
	switch {
	case verified.Nonce != f.Nonce:
		return nil, refuse(kiosk.LoginState, "the ID token's nonce is not that of this login")
	case verified.Subject == "" || len(verified.Subject) > maxSubject:
		return nil, refuse(kiosk.LoginSubject, "the ID token's sub is empty or longer than %d bytes", maxSubject)
	case out.AuthorizedParty != "" && out.AuthorizedParty != c.config.ClientID:
		return nil, refuse(kiosk.LoginToken, "the ID token was issued to another client (azp)")
	case len(verified.Audience) > 1 && out.AuthorizedParty == "":
		return nil, refuse(kiosk.LoginToken, "the ID token is for several clients and does not say to which it was issued")
	case out.IssuedAt.IsZero():
		return nil, refuse(kiosk.LoginToken, "the ID token does not say when it was issued")
	case out.IssuedAt.After(now.Add(skew)) || out.NotBefore.After(now.Add(skew)):
		return nil, refuse(kiosk.LoginToken, "the ID token is from the future")
	case out.IssuedAt.Before(f.Began.Add(-skew)):
		return nil, refuse(kiosk.LoginToken, "the ID token is older than the login")
	case c.config.preset.Prompt == "login" && !out.AuthTime.IsZero() && out.AuthTime.Before(f.Began.Add(-skew)):
		return nil, refuse(kiosk.LoginToken, "the person has not logged in for this login")
	}
	if verified.AccessTokenHash != "" && verified.VerifyAccessToken(token.AccessToken) != nil {
		return nil, refuse(kiosk.LoginToken, "the access token is not the one that the ID token names (at_hash)")
	}
	return &out, c.checkLevel(&out)
}

// checkLevel compares how the person logged in with what the hub asked for.
func (c *Client) checkLevel(in *claims) error {
	if len(c.config.AcceptACR) > 0 && !slices.Contains(c.config.AcceptACR, in.ACR) {
		return refuse(kiosk.LoginLevel, "the login's acr is not one of %v", c.config.AcceptACR)
	}
	if len(c.config.AcceptAMR) > 0 && !overlap(c.config.AcceptAMR, in.AMR) {
		return refuse(kiosk.LoginLevel, "the login's amr has none of %v", c.config.AcceptAMR)
	}
	return nil
}

// open decrypts what is encrypted.
func (c *Client) open(what, raw string) (signed string, err error) {
	if strings.Count(raw, ".") != 4 {
		if c.config.Encrypted {
			return "", refuse(kiosk.LoginToken, "the %s is not encrypted, although the configuration requires it", what)
		}
		return raw, nil
	}
	sealed, err := jose.ParseEncryptedCompact(raw, keyAlgorithms, contentAlgorithms)
	if err != nil {
		return "", refuse(kiosk.LoginToken, "the %s is encrypted in a way that is not accepted", what)
	}
	if _, compressed := sealed.Header.ExtraHeaders["zip"]; compressed {
		return "", refuse(kiosk.LoginToken, "the %s is compressed", what)
	}
	for _, k := range c.credentials.Load().opening {
		if sealed.Header.KeyID != "" && sealed.Header.KeyID != k.KeyID {
			continue
		}
		if text, err := sealed.Decrypt(k); err == nil {
			return string(text), nil
		}
	}
	return "", refuse(kiosk.LoginToken, "the %s is encrypted to a key that the hub does not have", what)
}

// verify checks signature, issuer, audience and times.
func (c *Client) verify(ctx context.Context, p *provider, what, signed string, config *oidc.Config) (*oidc.IDToken, error) {
	for _, a := range signatureAlgorithms {
		if len(p.metadata.TokenAlgorithms) == 0 || what != "ID token" || slices.Contains(p.metadata.TokenAlgorithms, a) {
			config.SupportedSigningAlgs = append(config.SupportedSigningAlgs, a)
		}
	}
	if len(config.SupportedSigningAlgs) == 0 {
		return nil, refuse(kiosk.LoginToken, "the broker signs with no algorithm that is accepted")
	}
	config.Now = c.now
	keys := &keySet{KeySet: p.keys}
	verified, err := oidc.NewVerifier(c.config.Issuer, keys, config).Verify(ctx, signed)
	var expired *oidc.TokenExpiredError
	switch {
	case err == nil:
		return verified, nil
	case keys.err != nil && keys.err.Error() == "failed to verify id token signature":
		return nil, refuse(kiosk.LoginToken, "the %s is not signed by a key of the broker", what)
	case keys.err != nil:
		return nil, asRefusal(keys.err, refuse(kiosk.BrokerAnswer, "the broker's keys cannot be read"))
	case errors.As(err, &expired):
		return nil, refuse(kiosk.LoginToken, "the %s has expired", what)
	}
	// The library's error may hold claims.
	text := err.Error()
	for part, why := range map[string]string{
		"different provider": "is of another issuer", "expected audience": "is for another client",
		"not before": "is from the future", "malformed jwt": "is not signed in an accepted way",
	} {
		if strings.Contains(text, part) {
			return nil, refuse(kiosk.LoginToken, "the %s %s", what, why)
		}
	}
	return nil, refuse(kiosk.LoginToken, "the %s cannot be read", what)
}

// keySet remembers the error of a key set, of which the verifier keeps only the text.
type keySet struct {
	oidc.KeySet
	err error
}

// VerifySignature implements oidc.KeySet.
func (k *keySet) VerifySignature(ctx context.Context, token string) (payload []byte, err error) {
	payload, k.err = k.KeySet.VerifySignature(ctx, token)
	return payload, k.err
}

// userInfo reads the claims of the UserInfo endpoint (OpenID Connect Core §5.3).
func (c *Client) userInfo(ctx context.Context, p *provider, accessToken string) (*claims, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.UserInfoEndpoint(), nil)
	if err != nil {
		return nil, refuse(kiosk.BrokerAnswer, "the broker's userinfo_endpoint is not a URL")
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, asRefusal(err, refuse(kiosk.BrokerDown, "cannot read UserInfo: %w", err))
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body) // the transport has read and bounded it
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if media != "application/jwt" {
		if c.config.Encrypted {
			return nil, refuse(kiosk.LoginToken, "UserInfo is not encrypted, although the configuration requires it")
		}
		return readClaims(body)
	}
	signed, err := c.open("UserInfo", strings.TrimSpace(string(body)))
	if err != nil {
		return nil, err
	}
	if strings.Count(signed, ".") != 2 { // encrypted, but not signed
		return readClaims([]byte(signed))
	}
	// A UserInfo need not say when it expires; the connection and sub bind it to this login.
	verified, err := c.verify(ctx, p, "UserInfo", signed, &oidc.Config{ClientID: c.config.ClientID, SkipExpiryCheck: true})
	if err != nil {
		return nil, err
	}
	out := &claims{}
	if err := out.read(verified); err != nil {
		return nil, err
	}
	if now := c.now(); !out.Expiry.IsZero() && out.Expiry.Before(now) || out.IssuedAt.After(now.Add(skew)) {
		return nil, refuse(kiosk.LoginToken, "UserInfo has expired or is from the future")
	}
	return out, nil
}
