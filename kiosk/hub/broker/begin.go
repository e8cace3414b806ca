package broker

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"smartkiosk/kiosk"
)

// Flow is what must be remembered between Begin and Finish. It holds secrets: only the hub
// may read it.
type Flow struct {
	Broker   string    `json:"broker"`
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"` // PKCE
	Began    time.Time `json:"began"`
}

// Format prints [secret].
func (f Flow) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("[secret]")) }

// randomBytes is the length of state, nonce and PKCE verifier.
const randomBytes = 32

// assertionLife is how long a client assertion or a request object is valid.
const assertionLife = time.Minute

// Begin begins a login in a language (BCP 47). The browser goes to address.
func (c *Client) Begin(ctx context.Context, language string) (f Flow, address string, err error) {
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	if c.config.preset.REST {
		return c.beginSession(ctx, language)
	}
	p, err := c.provider(ctx)
	if err != nil {
		return Flow{}, "", err
	}
	f = Flow{Broker: c.config.Name, Began: c.now().UTC()}
	for _, to := range []*string{&f.State, &f.Nonce, &f.Verifier} {
		if *to, err = c.random(); err != nil {
			return Flow{}, "", err
		}
	}
	query, err := c.query(p, f, language)
	if err != nil {
		return Flow{}, "", err
	}
	if p.metadata.PAR != "" {
		if query, err = c.push(ctx, p, query); err != nil {
			return Flow{}, "", err
		}
	}
	to, err := url.Parse(p.Endpoint().AuthURL)
	if err != nil {
		return Flow{}, "", refuse(kiosk.BrokerAnswer, "the broker's authorization_endpoint is not a URL")
	}
	all := to.Query()
	for name, values := range query {
		all[name] = values
	}
	to.RawQuery = all.Encode()
	return f, to.String(), nil
}

func (c *Client) random() (string, error) {
	b := make([]byte, randomBytes)
	if _, err := io.ReadFull(c.rand, b); err != nil {
		return "", fmt.Errorf("cannot begin a login: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// query returns the authorization request. With a request object it holds only that.
func (c *Client) query(p *provider, f Flow, language string) (url.Values, error) {
	q := url.Values{
		"response_type": {"code"}, "client_id": {c.config.ClientID}, "redirect_uri": {c.config.RedirectURL},
		"scope": {strings.Join(c.config.Scopes, " ")}, "state": {f.State}, "nonce": {f.Nonce},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(f.Verifier)}, "code_challenge_method": {"S256"},
	}
	set := func(name, value string) {
		if name != "" && value != "" {
			q.Set(name, value)
		}
	}
	set("ui_locales", language)
	set("prompt", c.config.preset.Prompt)
	set("acr_values", strings.Join(c.config.ACRValues, " "))
	set(c.config.preset.AMRParameter, strings.Join(c.config.AMRValues, " "))
	set(c.config.preset.HintParameter, c.config.Hint)
	if !c.config.RequestObject && !p.metadata.RequireSigned {
		return q, nil
	}
	claims := map[string]any{}
	for name := range q {
		claims[name] = q.Get(name)
	}
	object, err := c.sign(claims, "oauth-authz-req+jwt")
	if err != nil {
		return nil, err
	}
	return url.Values{"client_id": {c.config.ClientID}, "request": {object}}, nil
}

// sign returns a JWT of the hub for the broker.
func (c *Client) sign(claims map[string]any, typ jose.ContentType) (string, error) {
	keys := c.credentials.Load().signing
	if len(keys) == 0 {
		return "", refuse(kiosk.LoginRefused, "the broker requires a signature, but the configuration has no key")
	}
	id, err := c.random()
	if err != nil {
		return "", err
	}
	now := c.now()
	claims["iss"], claims["aud"], claims["jti"] = c.config.ClientID, c.config.Issuer, id
	claims["iat"], claims["nbf"], claims["exp"] = now.Unix(), now.Unix(), now.Add(assertionLife).Unix()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(keys[0].Algorithm), Key: keys[0]}, (&jose.SignerOptions{}).WithType(typ))
	if err != nil {
		return "", fmt.Errorf("cannot sign for broker %s: %w", c.config.Name, err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("cannot sign for broker %s: %w", c.config.Name, err)
	}
	return text, nil
}

// assertion returns the parameters of private_key_jwt (RFC 7523 §2.2).
func (c *Client) assertion() (url.Values, error) {
	text, err := c.sign(map[string]any{"sub": c.config.ClientID}, "JWT")
	if err != nil {
		return nil, err
	}
	return url.Values{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {text},
	}, nil
}

// push sends the authorization request to the broker and returns the query that refers to
// it (RFC 9126).
func (c *Client) push(ctx context.Context, p *provider, query url.Values) (url.Values, error) {
	var more url.Values
	var err error
	switch c.config.ClientAuth {
	case PrivateKeyJWT:
		more, err = c.assertion()
	case SecretPost:
		more = url.Values{"client_secret": {c.credentials.Load().secret}}
	}
	if err != nil {
		return nil, err
	}
	for name, values := range more {
		query[name] = values
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.metadata.PAR, strings.NewReader(query.Encode()))
	if err != nil {
		return nil, refuse(kiosk.BrokerAnswer, "the broker's pushed_authorization_request_endpoint is not a URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.config.ClientAuth == SecretBasic {
		req.SetBasicAuth(url.QueryEscape(c.config.ClientID), url.QueryEscape(c.credentials.Load().secret))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, asRefusal(err, refuse(kiosk.BrokerDown, "cannot push the request: %w", err))
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body) // the transport has read and bounded it
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK {
		return nil, refuse(kiosk.LoginRefused, "the broker refuses the pushed request: %d %s", resp.StatusCode, oauthCode(body))
	}
	var pushed struct {
		URI string `json:"request_uri"`
	}
	if decodeObject(body, &pushed) != nil || pushed.URI == "" || len(pushed.URI) > 1024 {
		return nil, refuse(kiosk.BrokerAnswer, "the broker's answer to the pushed request has no request_uri")
	}
	return url.Values{"client_id": {c.config.ClientID}, "request_uri": {pushed.URI}}, nil
}

// oauthCode returns the error code of an OAuth error (RFC 6749 §5.2), if it has the form
// of one. The description is not used: it may name a person.
func oauthCode(body []byte) string {
	var e struct {
		Error string `json:"error"`
	}
	if decodeObject(body, &e) != nil {
		return "without an error code"
	}
	return code(e.Error)
}

func code(s string) string {
	if s == "" || len(s) > 64 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "with an unknown error code"
	}
	return s
}

// tokenError returns the refusal for an error of the token endpoint.
func tokenError(err error) error {
	var answered *oauth2.RetrieveError
	if !errors.As(err, &answered) {
		return asRefusal(err, refuse(kiosk.BrokerAnswer, "the answer of the token endpoint cannot be read"))
	}
	status := 0
	if answered.Response != nil {
		status = answered.Response.StatusCode
	}
	if answered.ErrorCode == "invalid_grant" {
		return refuse(kiosk.LoginState, "the broker does not know the code, or it was used before (%d invalid_grant)", status)
	}
	return refuse(kiosk.LoginRefused, "the token endpoint refuses the hub: %d %s", status, code(answered.ErrorCode))
}
