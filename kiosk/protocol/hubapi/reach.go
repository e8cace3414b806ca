package hubapi

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// Reach opens a new TLS connection to the hub and closes it again. It fails if no hub with
// a certificate of the right CA completes the handshake before ctx ends. With Reach a
// caller can distinguish a slow hub from one that cannot be reached.
func (c *Client) Reach(ctx context.Context) error {
	base, err := url.Parse(c.base)
	if err != nil {
		return fmt.Errorf("cannot reach the hub: %w", err)
	}
	port := base.Port()
	if port == "" {
		port = "443"
	}
	dialer := tls.Dialer{Config: c.http.Transport.(*http.Transport).TLSClientConfig}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(base.Hostname(), port))
	if err != nil {
		return fmt.Errorf("cannot reach the hub: %w", err)
	}
	_ = conn.Close()
	return nil
}
