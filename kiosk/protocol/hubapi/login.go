package hubapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"smartkiosk/kiosk"
)

const loginsPath = "/v1/logins"

// BeginLogin begins a login by phone.
func (c *Client) BeginLogin(ctx context.Context, visit, language string) (Login, error) {
	in := LoginRequest{Visit: visit, Language: language, Purpose: PurposeEntry}
	// Not retried: each call makes a login and ends the one before.
	return c.login(ctx, http.MethodPost, loginsPath, in, http.StatusCreated)
}

// BeginPageLogin begins a login on the broker's hosted page, in the kiosk's own browser.
func (c *Client) BeginPageLogin(ctx context.Context, visit, language string) (Login, error) {
	in := LoginRequest{Visit: visit, Language: language, Purpose: PurposeEntry}
	return c.login(ctx, http.MethodPost, "/v1/page-logins", in, http.StatusCreated)
}

// AnswerLogin hands in the broker's answer, the query of the callback. The answer has the
// verdict.
func (c *Client) AnswerLogin(ctx context.Context, id, query string) (Login, error) {
	return c.login(ctx, http.MethodPost, loginPath(id)+"/answer", LoginAnswer{query}, http.StatusOK)
}

// WaitForLogin returns the login when its state is not since, or after wait (0 to MaxWait,
// in whole seconds).
func (c *Client) WaitForLogin(ctx context.Context, id string, since kiosk.PhoneState, wait time.Duration) (Login, error) {
	query := url.Values{"wait": {strconv.Itoa(int(wait.Seconds()))}}
	if since != "" {
		query.Set("since", string(since))
	}
	return c.login(ctx, http.MethodGet, loginPath(id)+"?"+query.Encode(), nil, http.StatusOK)
}

// TypeDigits sends the digits that the person typed. The answer has the verdict if they
// were right.
func (c *Client) TypeDigits(ctx context.Context, id, digits string) (Login, error) {
	return c.login(ctx, http.MethodPost, loginPath(id)+"/digits", DigitsEntry{digits}, http.StatusOK)
}

// CancelLogin ends a login.
func (c *Client) CancelLogin(ctx context.Context, id string) error {
	_, err := c.login(ctx, http.MethodDelete, loginPath(id), nil, http.StatusOK)
	return err
}

func loginPath(id string) string { return loginsPath + "/" + url.PathEscape(id) }

func (c *Client) login(ctx context.Context, method, path string, in any, want int) (Login, error) {
	send := content{once: true, visit: true}
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return Login{}, err
		}
		send.media, send.body = "application/json", text
	}
	answer, _, err := c.do(ctx, method, path, send, want)
	if err != nil {
		return Login{}, fmt.Errorf("cannot log in through a broker: %w", err)
	}
	var out Login
	if err := json.Unmarshal(answer, &out); err != nil {
		return Login{}, fmt.Errorf("cannot log in through a broker: cannot read the hub's answer: %w", err)
	}
	// Without the mark a login of a sandbox would count as one of production.
	var mark struct {
		Sandbox *bool `json:"sandbox"`
	}
	if err := json.Unmarshal(answer, &mark); err != nil || mark.Sandbox == nil {
		return Login{}, errors.New("cannot log in by phone: the hub's answer does not say whether the login is of a sandbox")
	}
	return out, nil
}
