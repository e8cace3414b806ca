package broker

import (
	"context"
	"crypto/subtle"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"smartkiosk/kiosk"
)

// maxCallback is the maximum length of a callback's query in bytes.
const maxCallback = 8 << 10

// Callback is what a broker sends by the browser.
type Callback struct {
	code, state, issuer, failure string
}

// ReadCallback reads the query of a callback. A parameter that appears twice is refused,
// because two readers could see different values (RFC 6749 §3.1).
func ReadCallback(query string) (Callback, error) {
	if len(query) > maxCallback {
		return Callback{}, refuse(kiosk.LoginState, "the callback's query is longer than %d bytes", maxCallback)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return Callback{}, refuse(kiosk.LoginState, "the callback's query cannot be read")
	}
	var c Callback
	// A REST API sends the session's id in place of state.
	state := "state"
	if values.Has("sessionId") && !values.Has("state") {
		state = "sessionId"
	}
	for name, to := range map[string]*string{"code": &c.code, state: &c.state, "iss": &c.issuer, "error": &c.failure} {
		if len(values[name]) > 1 {
			return Callback{}, refuse(kiosk.LoginState, "the callback has %s more than once", name)
		}
		*to = values.Get(name)
	}
	if c.state == "" {
		return Callback{}, refuse(kiosk.LoginState, "the callback has no state")
	}
	return c, nil
}

// IsFor reports whether the callback answers the flow. If not, it must not end the flow,
// because anybody can make a browser send a callback.
func (c Callback) IsFor(f Flow) bool {
	return f.State != "" && subtle.ConstantTimeCompare([]byte(c.state), []byte(f.State)) == 1
}

// Finish ends a login with the broker's callback. The error is a *Refusal, unless the hub
// itself failed.
func (c *Client) Finish(ctx context.Context, f Flow, in Callback) (Person, error) {
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	if !in.IsFor(f) {
		return Person{}, refuse(kiosk.LoginState, "the callback's state is not that of this login")
	}
	if f.Broker != c.config.Name {
		return Person{}, refuse(kiosk.LoginState, "the login was begun at broker %s, not at %s", f.Broker, c.config.Name)
	}
	if c.config.preset.REST {
		return c.finishSession(ctx, f)
	}
	p, err := c.provider(ctx)
	if err != nil {
		return Person{}, err
	}
	if err := c.checkCallback(p, in); err != nil {
		return Person{}, err
	}
	token, err := c.exchange(ctx, p, f, in.code)
	if err != nil {
		return Person{}, err
	}
	id, err := c.idToken(ctx, p, f, token)
	if err != nil {
		return Person{}, err
	}
	if c.config.UserInfo {
		more, err := c.userInfo(ctx, p, token.AccessToken)
		if err != nil {
			return Person{}, err
		}
		if err := id.merge(more); err != nil {
			return Person{}, err
		}
	}
	return c.person(id)
}

func (c *Client) checkCallback(p *provider, in Callback) error {
	switch {
	case in.issuer != "" && in.issuer != c.config.Issuer:
		return refuse(kiosk.LoginState, "the callback is from another issuer")
	case in.issuer == "" && p.metadata.IssuerInCallback:
		return refuse(kiosk.LoginState, "the callback does not name its issuer, which this broker always does")
	case in.failure != "":
		return callbackError(in.failure)
	case in.code == "":
		return refuse(kiosk.BrokerAnswer, "the callback has neither a code nor an error")
	}
	return nil
}

// callbackError maps the error of a callback (RFC 6749 §4.1.2.1, OpenID Connect Core
// §3.1.2.6) to a reason.
func callbackError(failure string) error {
	switch failure {
	case "access_denied", "interaction_required", "login_required", "consent_required", "account_selection_required":
		return refuse(kiosk.LoginCancelled, "the broker answered %s", failure)
	case "server_error", "temporarily_unavailable":
		return refuse(kiosk.BrokerDown, "the broker answered %s", failure)
	case "unmet_authentication_requirements":
		return refuse(kiosk.LoginLevel, "the broker answered %s", failure)
	}
	return refuse(kiosk.LoginRefused, "the broker answered %s", code(failure))
}

func (c *Client) exchange(ctx context.Context, p *provider, f Flow, code string) (*oauth2.Token, error) {
	options := []oauth2.AuthCodeOption{oauth2.VerifierOption(f.Verifier)}
	if c.config.ClientAuth == PrivateKeyJWT {
		more, err := c.assertion()
		if err != nil {
			return nil, err
		}
		for name := range more {
			options = append(options, oauth2.SetAuthURLParam(name, more.Get(name)))
		}
	}
	token, err := c.oauth(p).Exchange(oidc.ClientContext(ctx, c.http), code, options...)
	if err != nil {
		return nil, tokenError(err)
	}
	if !strings.EqualFold(token.TokenType, "Bearer") {
		return nil, refuse(kiosk.BrokerAnswer, "the token endpoint answered with a token that is not a bearer token")
	}
	return token, nil
}
