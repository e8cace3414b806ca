package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"time"
)

// Bounds of the public listener. Anybody can connect to it.
const (
	publicTimeout = 30 * time.Second // of one request; it may wait for the broker
	publicStreams = 8                // HTTP/2 streams of one connection
	publicAtOnce  = 64               // requests that are being answered
)

// PublicListen returns the address of the pages for phones, "" without such pages.
func (c Config) PublicListen() string {
	if c.Brokers == nil {
		return ""
	}
	return c.Brokers.Public.Listen
}

// ServePublic answers phones on ln until ctx ends, and closes ln. They have no client
// certificate, and reach nothing but the pages of package login.
func (h *Hub) ServePublic(ctx context.Context, ln net.Listener) error {
	defer ln.Close()
	if _, err := h.config.phoneCertificate(); err != nil {
		return fmt.Errorf("cannot serve phones: public.certificate and public.key: %w", err)
	}
	srv := &http.Server{
		Handler: atMost(publicAtOnce, h.Pages()),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, // older phones
			// Read for each handshake, so that a renewed certificate needs no restart.
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				c, err := h.config.phoneCertificate()
				return &c, err
			},
		},
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: publicStreams},
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       publicTimeout,
		WriteTimeout:      publicTimeout,
		IdleTimeout:       publicTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          stdlog.New(errorLog{h.abuse}, "", 0),
	}
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		_ = srv.Shutdown(grace)
	})
	defer stop()
	if err := srv.ServeTLS(ln, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve phones: %w", err)
	}
	return nil
}

// Pages returns the handler of the pages for phones. It must not be called without
// brokers.
func (h *Hub) Pages() http.Handler { return h.logins.Pages() }

// atMost refuses requests beyond n at a time.
func atMost(n int, handler http.Handler) http.Handler {
	places := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			handler.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", "2")
			http.Error(w, "busy", http.StatusServiceUnavailable)
		}
	})
}
