package hubapi

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"smartkiosk/kiosk"
)

// Client calls a hub. The caller bounds the duration of a call with its context. Every
// answer that is not a success becomes an error that wraps a *Problem. A Client is safe for
// concurrent use.
type Client struct {
	// Heard, if set, is called with the Date of each answer: the time of the hub's clock,
	// to the second. Set it before the first call.
	Heard func(time.Time)

	// Signed, if set, is called with the SignedTimeHeader of each answer that has one. Set it
	// before the first call.
	Signed func(time.Time)

	// Former are the certificates (DER) of keys that the kiosk used before. The hub accepts
	// events that these keys signed. Set it before the first call.
	Former [][]byte

	// Instance, if set, is sent with each request; see NewInstance. Twin, if set, is called
	// with the address of a second machine that uses this kiosk's identity, while the hub
	// sees one. Set both before the first call.
	Instance string
	Twin     func(address string)

	base   string
	http   *http.Client
	visits *http.Client // for what belongs to a visit, see Forget
	line   line
}

// content is the body of a request. The zero value means no body.
type content struct {
	media, encoding string
	body            []byte
	turn            <-chan struct{} // nil unless the body holds events; see eventsBody
	once            bool            // do not retry: see sendWithRetry
	visit           bool            // part of a visit: see Client.Forget
	longest         int             // bytes of the answer; 0 means MaxEventsBody
}

// NewClient returns a client of the hub at base (https://host:port) with the TLS
// configuration of LoadCredentials.
func NewClient(base string, config *tls.Config) *Client {
	client := func(idle time.Duration) *http.Client {
		return &http.Client{
			// The client uses HTTP/1.1, because there a request that times out also closes
			// its connection. An HTTP/2 connection to a hub that no longer answers would be
			// used for the next requests too, and they would fail until TCP gives the
			// connection up.
			Transport: &http.Transport{
				TLSClientConfig:     config.Clone(),
				TLSHandshakeTimeout: 10 * time.Second,
				IdleConnTimeout:     idle,
				MaxIdleConnsPerHost: 2,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	// A connection that is closed stays in memory until its idle timer ends, so those of
	// visits have none.
	return &Client{base: strings.TrimSuffix(base, "/"), http: client(90 * time.Second), visits: client(0)}
}

// Forget closes the connections that carried a visit's requests. Their buffers hold the
// holder's certificate and name. Call it after a visit.
func (c *Client) Forget() { c.visits.CloseIdleConnections() }

// Challenge requests a nonce, which the card signs.
func (c *Client) Challenge(ctx context.Context) (Challenge, error) {
	var out Challenge
	if err := c.json(ctx, "/v1/challenges", nil, content{visit: true}, http.StatusCreated, &out); err != nil {
		return Challenge{}, fmt.Errorf("cannot get a challenge: %w", err)
	}
	return out, nil
}

// Authenticate asks the hub to verify the token that a card made for nonce. A denied
// verdict is not an error. visit appears in the hub's log.
func (c *Client) Authenticate(ctx context.Context, visit, nonce string, token []byte) (kiosk.Verdict, error) {
	var out Authentication
	in := AuthenticationRequest{Visit: visit, Nonce: nonce, Token: token}
	// Never retried: the hub may have spent the nonce before it failed, and would then deny
	// the holder for that reason.
	if err := c.json(ctx, "/v1/authentications", in, content{once: true, visit: true}, http.StatusOK, &out); err != nil {
		return kiosk.Verdict{}, fmt.Errorf("cannot get a verdict: %w", err)
	}
	switch out.Verdict {
	case VerdictGranted:
		return kiosk.Verdict{Granted: true, Holder: out.Holder, Documents: out.Documents}, nil
	case VerdictDenied:
		return kiosk.Verdict{Reason: out.Reason, Holder: out.Holder}, nil
	}
	return kiosk.Verdict{}, fmt.Errorf("cannot get a verdict: the hub answered %q", out.Verdict)
}

// SendEvents sends sealed events in order. Without an error the hub has all of them on disk.
// Events may safely be sent again. After an error only the Problem says which events the hub
// has.
func (c *Client) SendEvents(ctx context.Context, events []json.RawMessage) (Acknowledgement, error) {
	turn := make(chan struct{})
	close(turn)
	return c.SendEventsInTurn(ctx, events, turn)
}

// SendEventsInTurn is like SendEvents, but may be called while earlier events are still
// being sent. It sends all of the body except the end at once, so that the hub can already
// open the events. It sends the end after turn is closed. If ctx ends before that, the hub
// stores none of these events.
func (c *Client) SendEventsInTurn(ctx context.Context, events []json.RawMessage, turn <-chan struct{}) (Acknowledgement, error) {
	body, encoding, err := c.line.encode(events)
	if err != nil {
		return Acknowledgement{}, fmt.Errorf("cannot send events: %w", err)
	}
	answer, _, err := c.do(ctx, http.MethodPost, "/v1/events", content{media: MediaEvents, encoding: encoding, body: body, turn: turn, once: true}, http.StatusOK)
	if err != nil {
		return Acknowledgement{}, fmt.Errorf("cannot send events: %w", err)
	}
	var out Acknowledgement
	if err := json.Unmarshal(answer, &out); err != nil {
		return Acknowledgement{}, fmt.Errorf("cannot send events: cannot read the hub's answer: %w", err)
	}
	return out, nil
}

// Feed returns at most max events (1 to MaxEvents) that the consumer has not acknowledged.
// If no event is waiting, Feed waits for the first one, at most for wait (0 to MaxWait, in
// whole seconds). AckFeed takes the cursor that Feed returns.
func (c *Client) Feed(ctx context.Context, consumer string, max int, wait time.Duration) (events []json.RawMessage, cursor string, err error) {
	return c.Pull(ctx, consumer, Pull{Max: max, Wait: wait})
}

// Pull is like Feed, but reads from another place or only some of the events. Acknowledging
// the cursor also acknowledges the events that the request left out.
func (c *Client) Pull(ctx context.Context, consumer string, p Pull) (events []json.RawMessage, cursor string, err error) {
	body, header, err := c.do(ctx, http.MethodGet, feedPath(consumer)+"?"+p.Query().Encode(), content{}, http.StatusOK)
	if err != nil {
		return nil, "", fmt.Errorf("cannot pull the feed: %w", err)
	}
	if err := json.Unmarshal(body, &events); err != nil {
		return nil, "", fmt.Errorf("cannot pull the feed: cannot read the hub's answer: %w", err)
	}
	return events, header.Get(CursorHeader), nil
}

// AckFeed acknowledges all events up to cursor. Later calls of Feed return what follows.
func (c *Client) AckFeed(ctx context.Context, consumer, cursor string) error {
	if err := c.json(ctx, feedPath(consumer)+"/ack", FeedAcknowledgement{cursor}, content{}, http.StatusNoContent, nil); err != nil {
		return fmt.Errorf("cannot acknowledge the feed: %w", err)
	}
	return nil
}

func feedPath(consumer string) string { return "/v1/feed/" + url.PathEscape(consumer) }

// json sends a POST request with in as JSON and decodes the answer into out. A nil in or
// out means no body.
func (c *Client) json(ctx context.Context, path string, in any, body content, want int, out any) error {
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
	id := NewRequestID()
	answer, header, err := c.request(ctx, id, method, path, send, want)
	if err != nil {
		err = requestError{err, id}
	}
	return answer, header, err
}

func (c *Client) request(ctx context.Context, id, method, path string, send content, want int) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(send.body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set(RequestHeader, id)
	if send.turn != nil {
		// The transport needs the body again if it finds that an idle connection was
		// closed.
		req.GetBody = func() (io.ReadCloser, error) { return c.line.body(ctx, send.body, send.turn), nil }
		req.Body, _ = req.GetBody()
	}
	if send.turn != nil && len(c.Former) > 0 {
		req.Header.Set(FormerHeader, encodeFormer(c.Former))
	}
	if send.media != "" {
		req.Header.Set("Content-Type", send.media)
	}
	if send.encoding != "" {
		req.Header.Set("Content-Encoding", send.encoding)
	}
	client, patience := c.http, noHurry
	if send.visit {
		client, patience = c.visits, visitPatience
	}
	if send.once {
		patience = -1
	}
	resp, err := c.sendWithRetry(client, req, patience)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	longest := cmp.Or(send.longest, MaxEventsBody)
	answer, err := io.ReadAll(io.LimitReader(resp.Body, int64(longest)+1))
	if err != nil {
		return nil, nil, err
	}
	if len(answer) > longest {
		return nil, nil, errors.New("the hub's answer is too long")
	}
	if resp.StatusCode != want {
		return nil, nil, ReadProblem(resp, answer)
	}
	return answer, resp.Header, nil
}
