package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"smartkiosk/kiosk"
)

// Client logs people in through one broker. It is safe for concurrent use.
type Client struct {
	config      Config
	dir         string
	credentials atomic.Pointer[Credentials]
	http        *http.Client
	now         func() time.Time
	rand        io.Reader

	mu    sync.Mutex
	found *provider // nil until the discovery document was read
}

// Surroundings is what a Client needs from outside.
type Surroundings struct {
	HTTP http.RoundTripper // to the broker
	Now  func() time.Time
	Rand io.Reader
}

// New returns a client for a broker. It reads the files of the configuration from dir, and
// asks the broker nothing.
func New(c Config, dir string, in Surroundings) (*Client, error) {
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("broker %s: %w", c.Name, err)
	}
	client := &Client{config: c, dir: dir, now: in.Now, rand: in.Rand}
	base, err := client.withMerchant(in.HTTP)
	if err != nil {
		return nil, fmt.Errorf("broker %s: %w", c.Name, err)
	}
	client.http = &http.Client{
		Transport:     transport{base, c.preset.REST},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	credentials, err := c.readCredentials(dir)
	if err != nil {
		return nil, fmt.Errorf("broker %s: %w", c.Name, err)
	}
	client.credentials.Store(credentials)
	return client, nil
}

// Config returns the configuration with the preset's values.
func (c *Client) Config() Config { return c.config }

// Credentials returns those in use.
func (c *Client) Credentials() *Credentials { return c.credentials.Load() }

// provider is what a broker's discovery document says.
type provider struct {
	*oidc.Provider
	metadata metadata
	keys     oidc.KeySet
	read     time.Time
}

// metadata are members of the discovery document (OpenID Connect Discovery §3, RFC 8414,
// RFC 9126, RFC 9101, RFC 9207).
type metadata struct {
	JWKS             string   `json:"jwks_uri"`
	PAR              string   `json:"pushed_authorization_request_endpoint"`
	RequirePAR       bool     `json:"require_pushed_authorization_requests"`
	RequireSigned    bool     `json:"require_signed_request_object"`
	IssuerInCallback bool     `json:"authorization_response_iss_parameter_supported"`
	SubjectTypes     []string `json:"subject_types_supported"`
	TokenAlgorithms  []string `json:"id_token_signing_alg_values_supported"`
	ClientAuth       []string `json:"token_endpoint_auth_methods_supported"`
	Scopes           []string `json:"scopes_supported"`
}

// discoveryLife is how long a discovery document is used before it is read again.
const discoveryLife = time.Hour

// provider returns the broker's discovery document, and reads it if it is not known or
// old. If it cannot be read again, the old one is used.
func (c *Client) provider(ctx context.Context) (*provider, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.found != nil && now.Sub(c.found.read) < discoveryLife {
		return c.found, nil
	}
	found, err := c.discover(ctx)
	if err != nil {
		if c.found != nil {
			return c.found, nil
		}
		return nil, err
	}
	found.read = now
	if c.found != nil && c.found.metadata.JWKS == found.metadata.JWKS {
		found.keys = c.found.keys
	}
	c.found = found
	return found, nil
}

func (c *Client) discover(ctx context.Context) (*provider, error) {
	ctx = oidc.ClientContext(ctx, c.http)
	p, err := oidc.NewProvider(ctx, c.config.Issuer)
	if err != nil {
		// The library's error may hold the whole answer.
		return nil, asRefusal(err, refuse(kiosk.BrokerAnswer, "the discovery document of %s cannot be read, or is of another issuer", c.config.Issuer))
	}
	found := &provider{Provider: p}
	if err := p.Claims(&found.metadata); err != nil {
		return nil, refuse(kiosk.BrokerAnswer, "the discovery document of %s cannot be read", c.config.Issuer)
	}
	m := found.metadata
	addresses := map[string]string{"authorization_endpoint": p.Endpoint().AuthURL, "token_endpoint": p.Endpoint().TokenURL, "jwks_uri": m.JWKS}
	if m.PAR != "" {
		addresses["pushed_authorization_request_endpoint"] = m.PAR
	}
	if c.config.UserInfo {
		addresses["userinfo_endpoint"] = p.UserInfoEndpoint()
	}
	for what, address := range addresses {
		if err := c.config.checkAddress(what, address); err != nil {
			return nil, refuse(kiosk.BrokerAnswer, "the discovery document of %s: %w", c.config.Issuer, err)
		}
	}
	if c.config.SubjectClaim == "sub" && !slices.Equal(m.SubjectTypes, []string{"public"}) {
		return nil, refuse(kiosk.LoginRefused, "subject_claim = \"sub\", but %s may give each client another sub for the same person", c.config.Issuer)
	}
	found.keys = oidc.NewRemoteKeySet(ctx, m.JWKS)
	return found, nil
}

// oauth returns the part of the flow that x/oauth2 carries out.
func (c *Client) oauth(p *provider) *oauth2.Config {
	out := &oauth2.Config{ClientID: c.config.ClientID, RedirectURL: c.config.RedirectURL, Scopes: c.config.Scopes, Endpoint: p.Endpoint()}
	out.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	switch c.config.ClientAuth {
	case SecretBasic:
		out.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
		out.ClientSecret = c.credentials.Load().secret
	case SecretPost:
		out.ClientSecret = c.credentials.Load().secret
	}
	return out
}

// decodeAnswer decodes a JSON object from a body that the transport has bounded.
func decodeAnswer(body io.Reader, into any) error {
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	return decodeObject(text, into)
}

// decodeObject decodes a JSON object from a broker.
func decodeObject(text []byte, into any) error {
	if len(text) == 0 || text[0] != '{' {
		return fmt.Errorf("not a JSON object")
	}
	return json.Unmarshal(text, into)
}
