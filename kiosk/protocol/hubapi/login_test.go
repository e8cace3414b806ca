package hubapi

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Each request about a login is sent once, with its method, path and body, and its answer
// must say whether the login is of a sandbox.
func TestLoginRequests(t *testing.T) {
	for _, tt := range []struct {
		call   func(context.Context, *Client) (Login, error)
		status int
		want   string
	}{
		{func(ctx context.Context, c *Client) (Login, error) { return c.BeginLogin(ctx, "v", "nb") }, http.StatusCreated,
			`POST /v1/logins {"visit":"v","language":"nb","purpose":"entry"}`},
		{func(ctx context.Context, c *Client) (Login, error) { return c.BeginPageLogin(ctx, "v", "en") }, http.StatusCreated,
			`POST /v1/page-logins {"visit":"v","language":"en","purpose":"entry"}`},
		{func(ctx context.Context, c *Client) (Login, error) {
			return c.AnswerLogin(ctx, "a/b", "code=1&state=2")
		}, http.StatusOK,
			`POST /v1/logins/a%2Fb/answer {"query":"code=1\u0026state=2"}`},
		{func(ctx context.Context, c *Client) (Login, error) {
			return c.WaitForLogin(ctx, "l", "", 1999*time.Millisecond)
		}, http.StatusOK,
			`GET /v1/logins/l?wait=1 `},
		{func(ctx context.Context, c *Client) (Login, error) { return c.WaitForLogin(ctx, "l", "opened", 0) }, http.StatusOK,
			`GET /v1/logins/l?since=opened&wait=0 `},
		{func(ctx context.Context, c *Client) (Login, error) { return c.TypeDigits(ctx, "l", "42") }, http.StatusOK,
			`POST /v1/logins/l/digits {"digits":"42"}`},
		{func(ctx context.Context, c *Client) (Login, error) { return Login{ID: "l"}, c.CancelLogin(ctx, "l") }, http.StatusOK,
			`DELETE /v1/logins/l `},
	} {
		for _, answer := range []struct {
			status     int
			text, fail string
		}{
			{tt.status, `{"id":"l","sandbox":false}`, ""},
			{tt.status, `{"id":"l","sandbox":true}`, ""},
			{tt.status, `{"id":"l"}`, "does not say whether the login is of a sandbox"},
			{tt.status, `{"id":"l","sandbox":null}`, "does not say whether the login is of a sandbox"},
			{tt.status, `{"id":1}`, "cannot read the hub's answer"},
			{http.StatusCreated + http.StatusOK - tt.status, `{"id":"l","sandbox":true}`, "cannot log in through a broker"},
			{http.StatusServiceUnavailable, ``, "cannot log in through a broker"},
		} {
			var got []string
			c := clientOf(func(r *http.Request) (*http.Response, error) {
				var body []byte
				if r.Body != nil {
					body, _ = io.ReadAll(r.Body)
				}
				if media := r.Header.Get("Content-Type"); (media == "application/json") != (len(body) > 0) {
					t.Errorf("%s has the type %q", tt.want, media)
				}
				got = append(got, r.Method+" "+r.URL.RequestURI()+" "+string(body))
				resp, err := answerOf(answer.status, strings.NewReader(answer.text))(r)
				resp.Header.Set("Retry-After", "0")
				return resp, err
			})
			l, err := tt.call(t.Context(), c)
			if len(got) != 1 || got[0] != tt.want {
				t.Errorf("it sends %q, not %s once", got, tt.want)
			}
			switch {
			case answer.fail == "":
				if err != nil || l.ID != "l" {
					t.Errorf("%s: %+v, %v", tt.want, l, err)
				}
			case err == nil || !strings.Contains(err.Error(), answer.fail):
				t.Errorf("%s is answered with %q: %v", tt.want, answer.text, err)
			}
		}
	}
}
