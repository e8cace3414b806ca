package hubapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"smartkiosk/kiosk"
)

// Client calls a hub. The caller limits the time of a call by its context. An answer
// that is not a success becomes an error that wraps a *Problem. Several goroutines
// may use a Client at the same time.
type Client struct {
	// Heard, if set, is called with each answer's Date: the hub's clock, to the
	// second. Set it before the first call.
	Heard func(time.Time)

	base string
	http *http.Client
	line line
}

// content is a request's body; the zero one is none.
type content struct {
	media, encoding string
	body            []byte
	turn            <-chan struct{} // nil, or of a body of events: see eventsBody
	once            bool            // do not retry: see sendWithRetry
}

// NewClient returns a client of the hub at base (https://host:port), with the
// TLS configuration of LoadCredentials.
func NewClient(base string, config *tls.Config) *Client {
	return &Client{
		base: strings.TrimSuffix(base, "/"),
		http: &http.Client{
			// HTTP/1.1: a request that runs out of time takes its connection
			// along. An HTTP/2 connection to a hub that has gone silent would
			// be used again, and fail again, until TCP gives it up.
			Transport: &http.Transport{
				TLSClientConfig:     config.Clone(),
				TLSHandshakeTimeout: 10 * time.Second,
				IdleConnTimeout:     90 * time.Second,
				MaxIdleConnsPerHost: 3, // two for events, one for a person
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Challenge asks for a nonce for a card to sign.
func (c *Client) Challenge(ctx context.Context) (Challenge, error) {
	var out Challenge
	if err := c.json(ctx, "/v1/challenges", nil, false, http.StatusCreated, &out); err != nil {
		return Challenge{}, fmt.Errorf("cannot get a challenge: %w", err)
	}
	return out, nil
}

// Authenticate has the hub judge a token that a card made for nonce. A denied
// verdict is no error. visit goes into the hub's log.
func (c *Client) Authenticate(ctx context.Context, visit, nonce string, token []byte) (kiosk.Verdict, error) {
	var out Authentication
	in := AuthenticationRequest{Visit: visit, Nonce: nonce, Token: token}
	// Not sent again: the hub may have spent the nonce before it failed, and would
	// deny the person for that.
	if err := c.json(ctx, "/v1/authentications", in, true, http.StatusOK, &out); err != nil {
		return kiosk.Verdict{}, fmt.Errorf("cannot get a verdict: %w", err)
	}
	switch out.Verdict {
	case VerdictGranted:
		return kiosk.Verdict{Granted: true, Holder: out.Holder}, nil
	case VerdictDenied:
		return kiosk.Verdict{Reason: out.Reason, Holder: out.Holder}, nil
	}
	return kiosk.Verdict{}, fmt.Errorf("cannot get a verdict: the hub answered %q", out.Verdict)
}

// SendEvents sends sealed events in order and returns the sequence number up to which
// the hub has them on disk. Sending events again is safe. After an error, only the
// Problem says which events the hub has.
func (c *Client) SendEvents(ctx context.Context, events []json.RawMessage) (acknowledged uint64, err error) {
	turn := make(chan struct{})
	close(turn)
	return c.SendEventsInTurn(ctx, events, turn)
}

// SendEventsInTurn is SendEvents for events that follow others which are still being
// sent. It sends all but the end of the body at once, so that the hub can open events
// meanwhile, and the end when turn is closed. If ctx ends before that, the hub stores
// none of them.
func (c *Client) SendEventsInTurn(ctx context.Context, events []json.RawMessage, turn <-chan struct{}) (acknowledged uint64, err error) {
	body, encoding, err := c.line.encode(events)
	if err != nil {
		return 0, fmt.Errorf("cannot send events: %w", err)
	}
	answer, _, err := c.do(ctx, http.MethodPost, "/v1/events", content{MediaEvents, encoding, body, turn, true}, http.StatusOK)
	if err != nil {
		return 0, fmt.Errorf("cannot send events: %w", err)
	}
	var out Acknowledgement
	if err := json.Unmarshal(answer, &out); err != nil {
		return 0, fmt.Errorf("cannot send events: cannot read the hub's answer: %w", err)
	}
	return out.Acknowledged, nil
}

// Feed returns at most max events (1 to MaxEvents) that the consumer has not
// acknowledged. If there is none, it waits for the first one, at most for wait (0 to
// MaxWait, in whole seconds). cursor is for AckFeed.
func (c *Client) Feed(ctx context.Context, consumer string, max int, wait time.Duration) (events []json.RawMessage, cursor string, err error) {
	query := url.Values{
		"max":  {strconv.Itoa(max)},
		"wait": {strconv.Itoa(int(wait / time.Second))},
	}
	body, header, err := c.do(ctx, http.MethodGet, feedPath(consumer)+"?"+query.Encode(), content{}, http.StatusOK)
	if err != nil {
		return nil, "", fmt.Errorf("cannot pull the feed: %w", err)
	}
	if err := json.Unmarshal(body, &events); err != nil {
		return nil, "", fmt.Errorf("cannot pull the feed: cannot read the hub's answer: %w", err)
	}
	return events, header.Get(CursorHeader), nil
}

// AckFeed acknowledges all events up to cursor. Feed continues after them.
func (c *Client) AckFeed(ctx context.Context, consumer, cursor string) error {
	if err := c.json(ctx, feedPath(consumer)+"/ack", FeedAcknowledgement{cursor}, false, http.StatusNoContent, nil); err != nil {
		return fmt.Errorf("cannot acknowledge the feed: %w", err)
	}
	return nil
}

func feedPath(consumer string) string { return "/v1/feed/" + url.PathEscape(consumer) }

// json posts in and decodes the answer into out; nil stands for no body. once is
// content's.
func (c *Client) json(ctx context.Context, path string, in any, once bool, want int, out any) error {
	body := content{once: once}
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body.media, body.body = "application/json", text
	}
	answer, _, err := c.do(ctx, http.MethodPost, path, body, want)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("cannot read the hub's answer: %w", err)
	}
	return nil
}

func (c *Client) do(ctx context.Context, method, path string, send content, want int) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(send.body))
	if err != nil {
		return nil, nil, err
	}
	if send.turn != nil {
		// Again, should the transport find that an idle connection was gone.
		req.GetBody = func() (io.ReadCloser, error) { return c.line.body(ctx, send.body, send.turn), nil }
		req.Body, _ = req.GetBody()
	}
	if send.media != "" {
		req.Header.Set("Content-Type", send.media)
	}
	if send.encoding != "" {
		req.Header.Set("Content-Encoding", send.encoding)
	}
	exchange := c.sendWithRetry
	if send.once {
		exchange = c.send
	}
	resp, err := exchange(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, MaxEventsBody+1))
	if err != nil {
		return nil, nil, err
	}
	if len(answer) > MaxEventsBody {
		return nil, nil, errors.New("the hub's answer is too long")
	}
	if resp.StatusCode != want {
		return nil, nil, readProblem(resp, answer)
	}
	return answer, resp.Header, nil
}
