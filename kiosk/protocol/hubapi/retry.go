package hubapi

import (
	"io"
	"math"
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter bounds how long a Retry-After is respected.
const maxRetryAfter = time.Minute

// visitPatience bounds the pauses before the retries of a visit's request together. A
// person waits, and the kiosk may be able to decide by itself.
const visitPatience = 5 * time.Second

// noHurry leaves the bound to the request's context.
const noHurry = time.Duration(math.MaxInt64)

// sendWithRetry sends a request and retries it when a hub answers 503 or 429 with
// Retry-After, after the time that the hub names. It returns the hub's last answer when the
// request's context would end before the next attempt, or when the pauses would take longer
// than patience. The request must be idempotent.
func (c *Client) sendWithRetry(by *http.Client, req *http.Request, patience time.Duration) (*http.Response, error) {
	for {
		resp, err := c.send(by, req)
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable && resp.StatusCode != http.StatusTooManyRequests {
			return resp, err
		}
		wait, ok := retryAfter(resp)
		deadline, bounded := req.Context().Deadline()
		if patience -= wait; !ok || patience < 0 || bounded && time.Until(deadline) <= wait {
			return resp, nil
		}
		// The body is read to its end so that the connection can be reused.
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, MaxRequestBody))
		_ = resp.Body.Close()
		select {
		case <-time.After(wait):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// retryAfter returns the seconds of a Retry-After header, at most maxRetryAfter. The
// header's other form, a date, depends on both clocks and is not supported.
func retryAfter(resp *http.Response) (wait time.Duration, ok bool) {
	seconds, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 16)
	return min(time.Duration(seconds)*time.Second, maxRetryAfter), err == nil
}
