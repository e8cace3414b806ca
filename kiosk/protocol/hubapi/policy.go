package hubapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// maxPolicy is the maximum size of a signed policy, in bytes.
const maxPolicy = 1 << 20

// Policy returns this kiosk's signed policy (see hubpolicy), or "" if the version is still
// current. A version is the entity tag without its quotes.
func (c *Client) Policy(ctx context.Context, version string) (jws string, err error) {
	jws, err = c.policy(ctx, version)
	if err != nil {
		return "", fmt.Errorf("cannot get policy: %w", err)
	}
	return jws, nil
}

func (c *Client) policy(ctx context.Context, version string) (string, error) {
	header := http.Header{}
	if version != "" {
		header.Set("If-None-Match", strconv.Quote(version))
	}
	resp, err := c.get(ctx, "/v1/kiosk", header)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxPolicy+1))
	switch {
	case err != nil:
		return "", err
	case len(text) > maxPolicy:
		return "", errors.New("the hub's answer is too long")
	case resp.StatusCode == http.StatusNotModified && version != "":
		return "", nil
	case resp.StatusCode != http.StatusOK:
		return "", ReadProblem(resp, text)
	}
	return string(text), nil
}

// Retire ends all certificates of this kiosk, and returns the hub's signed receipt (see
// hubpolicy.Retirement). The hub accepts no further request of this kiosk then.
func (c *Client) Retire(ctx context.Context) (receipt string, err error) {
	body, _, err := c.do(ctx, http.MethodDelete, "/v1/kiosk", content{once: true}, http.StatusOK)
	if err != nil {
		return "", fmt.Errorf("cannot end the kiosk's certificates: %w", err)
	}
	return string(body), nil
}

// Known returns the holders whom the hub has recently let in at this kiosk or at a kiosk of
// its groups, and the tag for the next call. It returns nil if the list has not changed
// since tag.
func (c *Client) Known(ctx context.Context, tag string) (days map[string]int64, newTag string, err error) {
	header := http.Header{}
	if tag != "" {
		header.Set("If-None-Match", tag)
	}
	resp, err := c.get(ctx, "/v1/known", header)
	if err != nil {
		return nil, "", fmt.Errorf("cannot get who is known: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, MaxEventsBody))
	var out Known
	switch {
	case err != nil:
	case resp.StatusCode == http.StatusNotModified && tag != "":
		return nil, tag, nil
	case resp.StatusCode != http.StatusOK:
		err = ReadProblem(resp, text)
	default:
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		return nil, "", fmt.Errorf("cannot get who is known: %w", err)
	}
	return out.Known, resp.Header.Get("ETag"), nil
}

// CRLSet returns the CRL set with this digest (SHA-256, hexadecimal). The caller compares
// the digest and closes the reader.
func (c *Client) CRLSet(ctx context.Context, digest string) (io.ReadCloser, error) {
	resp, err := c.get(ctx, "/v1/crls/"+url.PathEscape(digest), http.Header{})
	if err != nil {
		return nil, fmt.Errorf("cannot get CRL: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, MaxRequestBody))
		return nil, fmt.Errorf("cannot get CRL: %w", ReadProblem(resp, text))
	}
	return resp.Body, nil
}

// UpdateBundle returns the bytes of an update's bundle from one place to another, both
// inclusive, counted from 0. The caller checks how many came, and closes the reader.
func (c *Client) UpdateBundle(ctx context.Context, digest string, from, to int64) (io.ReadCloser, error) {
	resp, err := c.get(ctx, "/v1/updates/"+url.PathEscape(digest), http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", from, to)}})
	if err != nil {
		return nil, fmt.Errorf("cannot get update: %w", err)
	}
	if resp.StatusCode != http.StatusPartialContent {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, MaxRequestBody))
		return nil, fmt.Errorf("cannot get update: %w", ReadProblem(resp, text))
	}
	return resp.Body, nil
}

// Doctor answers a question of the policy with the report of the kiosk's doctor, a JSON object
// of at most 48 KiB.
func (c *Client) Doctor(ctx context.Context, question string, report json.RawMessage) error {
	if err := c.json(ctx, "/v1/doctor", DoctorAnswer{Question: question, Report: report}, content{}, http.StatusNoContent, nil); err != nil {
		return fmt.Errorf("cannot send the doctor's report: %w", err)
	}
	return nil
}

func (c *Client) get(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header = header
	id := NewRequestID()
	req.Header.Set(RequestHeader, id)
	resp, err := c.sendWithRetry(c.http, req, noHurry)
	if err != nil {
		err = requestError{err, id}
	}
	return resp, err
}

// send sends a request. It passes the time of the hub's clock to Heard, that of a CA to
// Signed, and the address of a second machine to Twin.
func (c *Client) send(by *http.Client, req *http.Request) (*http.Response, error) {
	if c.Instance != "" {
		if req.Header == nil {
			req.Header = http.Header{}
		}
		req.Header.Set(InstanceHeader, c.Instance)
	}
	resp, err := by.Do(req)
	if err != nil {
		return nil, err
	}
	tellTime(resp.Header.Get("Date"), c.Heard)
	tellTime(resp.Header.Get(SignedTimeHeader), c.Signed)
	if other := resp.Header.Get(TwinHeader); other != "" && c.Twin != nil {
		c.Twin(other)
	}
	return resp, nil
}

// tellTime calls tell, which may be nil, with the time of a header field.
func tellTime(field string, tell func(time.Time)) {
	if at, err := time.Parse(http.TimeFormat, field); err == nil && tell != nil {
		tell(at)
	}
}
