package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"smartkiosk/kiosk"
)

// Signicat's REST API, for accounts that have no OpenID client: the hub creates a session,
// the browser goes to its address and comes back with ?sessionId=, and the hub reads the
// session. The session's id takes the place of state, externalReference that of nonce.

// sessionLife is how long a session is valid. It is the shortest that Signicat allows.
const sessionLife = 300 * time.Second

// maxSessionID is the maximum length of a session's id.
const maxSessionID = 128

// levels are the levels of assurance, lowest first (eIDAS).
var levels = []string{"low", "substantial", "high"}

// session is what the hub reads of a session. Signicat adds further members.
type session struct {
	ID                string          `json:"id"`
	AuthenticationURL string          `json:"authenticationUrl"`
	Status            string          `json:"status"`
	Provider          string          `json:"provider"`
	Subject           json.RawMessage `json:"subject"`
	LOA               string          `json:"loa"`
	ExternalReference string          `json:"externalReference"`
}

func readSession(text []byte) (session, error) {
	var s session
	if decodeObject(text, &s) != nil || s.ID == "" || len(s.ID) > maxSessionID || strings.Trim(s.ID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return session{}, refuse(kiosk.BrokerAnswer, "the session cannot be read")
	}
	return s, nil
}

// beginSession creates a session.
func (c *Client) beginSession(ctx context.Context, language string) (Flow, string, error) {
	f := Flow{Broker: c.config.Name, Began: c.now().UTC()}
	var err error
	if f.Nonce, err = c.random(); err != nil {
		return Flow{}, "", err
	}
	body := map[string]any{
		"flow":            "redirect",
		"callbackUrls":    map[string]string{"success": c.config.RedirectURL, "abort": c.config.RedirectURL, "error": c.config.RedirectURL},
		"sessionLifetime": int(sessionLife.Seconds()), "externalReference": f.Nonce, "language": language,
	}
	for name, values := range map[string][]string{"allowedProviders": c.config.Providers, "requestedAttributes": c.config.Attributes} {
		if len(values) > 0 {
			body[name] = values
		}
	}
	if c.config.LOA != "" {
		body["requestedLoa"] = c.config.LOA
	}
	s, err := c.sessions(ctx, http.MethodPost, "/sessions", body)
	if err != nil {
		return Flow{}, "", err
	}
	if err := c.config.checkAddress("authenticationUrl", s.AuthenticationURL); err != nil {
		return Flow{}, "", refuse(kiosk.BrokerAnswer, "the session's %w", err)
	}
	f.State = s.ID
	return f, s.AuthenticationURL, nil
}

// finishSession reads the session after the browser has come back.
func (c *Client) finishSession(ctx context.Context, f Flow) (Person, error) {
	s, err := c.sessions(ctx, http.MethodGet, "/sessions/"+url.PathEscape(f.State), nil)
	if err != nil {
		return Person{}, err
	}
	switch s.Status {
	case "SUCCESS":
	case "ABORT", "CANCELLED":
		return Person{}, refuse(kiosk.LoginCancelled, "the session's status is %s", s.Status)
	case "EXPIRED":
		return Person{}, refuse(kiosk.LoginExpired, "the session's status is EXPIRED")
	case "ERROR":
		return Person{}, refuse(kiosk.BrokerDown, "the session's status is ERROR")
	case "INVALID":
		return Person{}, refuse(kiosk.LoginRefused, "the session's status is INVALID")
	case "CREATED", "WAITING_FOR_USER":
		return Person{}, refuse(kiosk.LoginState, "the browser came back before the login ended (%s)", s.Status)
	default:
		return Person{}, refuse(kiosk.BrokerAnswer, "the session has an unknown status")
	}
	switch {
	case s.ID != f.State:
		return Person{}, refuse(kiosk.LoginState, "the broker answered with another session")
	case s.ExternalReference != f.Nonce:
		return Person{}, refuse(kiosk.LoginState, "the session's externalReference is not that of this login")
	case len(c.config.Providers) > 0 && !slices.Contains(c.config.Providers, s.Provider):
		return Person{}, refuse(kiosk.LoginLevel, "the login's provider is not one of %v", c.config.Providers)
	case slices.Index(levels, s.LOA) < slices.Index(levels, c.config.LOA):
		return Person{}, refuse(kiosk.LoginLevel, "the login's level is below %s", c.config.LOA)
	}
	in, err := readClaims(s.Subject)
	if err != nil {
		return Person{}, err
	}
	in.ACR, in.AMR = s.LOA, []string{s.Provider}
	in.text["given_name"], in.text["family_name"] = in.text["firstName"], in.text["lastName"]
	return c.person(in)
}

// Cancel ends what was begun at the broker, as far as the broker has a way for that.
func (c *Client) Cancel(ctx context.Context, f Flow) error {
	if !c.config.preset.REST || f.State == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	_, err := c.call(ctx, http.MethodPost, "/sessions/"+url.PathEscape(f.State)+"/cancel", nil)
	return err
}

func (c *Client) sessions(ctx context.Context, method, path string, body any) (session, error) {
	text, err := c.call(ctx, method, path, body)
	if err != nil {
		return session{}, err
	}
	return readSession(text)
}

// call sends a request with an access token for the API.
func (c *Client) call(ctx context.Context, method, path string, body any) ([]byte, error) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, c.http)
	credentials := clientcredentials.Config{
		ClientID: c.config.ClientID, ClientSecret: c.credentials.Load().secret, TokenURL: c.config.API + c.config.preset.TokenPath,
		Scopes: c.config.Scopes, AuthStyle: oauth2.AuthStyleInHeader,
	}
	if c.config.ClientAuth == SecretPost {
		credentials.AuthStyle = oauth2.AuthStyleInParams
	}
	token, err := credentials.Token(ctx)
	if err != nil {
		return nil, tokenError(err)
	}
	var send io.Reader = http.NoBody
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		send = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.config.API+c.config.preset.RESTPath+path, send)
	if err != nil {
		return nil, err
	}
	token.SetAuthHeader(req)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, asRefusal(err, errors.Join(err))
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body) // the transport has read and bounded it
	switch {
	case resp.StatusCode/100 == 2:
		return text, nil
	case resp.StatusCode == http.StatusNotFound:
		return nil, refuse(kiosk.LoginState, "the broker does not know the session (404)")
	case resp.StatusCode == http.StatusTooManyRequests:
		return nil, refuse(kiosk.BrokerDown, "the broker answered 429: too many requests")
	}
	return nil, refuse(kiosk.LoginRefused, "the API refuses the hub: %d %s", resp.StatusCode, problemCode(text))
}

// problemCode returns the code of a problem of the API, if it has the form of one.
func problemCode(text []byte) string {
	var p struct {
		Code string `json:"code"`
	}
	if decodeObject(text, &p) != nil || p.Code == "" || len(p.Code) > 64 ||
		strings.Trim(p.Code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != "" {
		return "without a code"
	}
	return p.Code
}
