package broker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"smartkiosk/kiosk"
)

// Bounds of a broker's answer. A person waits for it.
const (
	maxAnswer     = 256 << 10        // bytes
	answerTimeout = 8 * time.Second  // of one request
	finishTimeout = 20 * time.Second // of all requests of Begin or of Finish
)

// transport carries requests to a broker. It reads each answer as a whole and turns one
// that cannot be used into a Refusal, because the libraries above it keep neither the cause
// of an error nor a bound on its text.
type transport struct {
	base http.RoundTripper
	rest bool // the caller looks at the status
}

// CloseIdleConnections is called by http.Client.CloseIdleConnections.
func (t transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), answerTimeout)
	defer cancel()
	at := req.URL.Host + req.URL.Path
	resp, err := t.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, refuse(kiosk.BrokerDown, "cannot reach %s: %w", at, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, refuse(kiosk.BrokerDown, "%s did not finish its answer in time", at)
	case err != nil:
		return nil, refuse(kiosk.BrokerDown, "cannot read the answer of %s: %w", at, err)
	case len(body) > maxAnswer:
		return nil, refuse(kiosk.BrokerAnswer, "%s answered with more than %d bytes", at, maxAnswer)
	case resp.StatusCode >= 500:
		return nil, refuse(kiosk.BrokerDown, "%s answered %d", at, resp.StatusCode)
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return nil, refuse(kiosk.BrokerAnswer, "%s answered with a redirect (%d)", at, resp.StatusCode)
	case media == "text/html":
		return nil, refuse(kiosk.BrokerAnswer, "%s answered %d with HTML", at, resp.StatusCode)
	case !t.rest && req.Method == http.MethodGet && resp.StatusCode != http.StatusOK:
		return nil, refuse(kiosk.BrokerAnswer, "%s answered %d", at, resp.StatusCode)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	return resp, nil
}
