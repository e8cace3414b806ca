package demo

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/hub/broker"
	"smartkiosk/kiosk/hub/broker/brokertest"
)

// certificateLife is how long the certificate for phones is valid. Each start makes a new
// one.
const certificateLife = 365 * 24 * time.Hour

// phones are the pages for phones, with a stand-in for the broker behind them. The same
// pages are at two addresses: with TLS at that of the link, for a real phone, and without
// TLS on loopback, for the phone that the demo's page shows. A browser would refuse the
// certificate of the first, because no authority has signed it.
type phones struct {
	standIn *broking
	issuer  net.Listener // where the hub finds the stand-in
	secure  net.Listener
	plain   net.Listener
	url     string // of the link
	trust   *x509.CertPool
	log     *slog.Logger
}

// openPhones listens for phones at an address and writes the hub's brokers.toml.
func openPhones(hubDir, listenAt string, log *slog.Logger) (p *phones, err error) {
	p = &phones{trust: x509.NewCertPool(), log: log}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	host, _, err := net.SplitHostPort(listenAt)
	if err != nil || net.ParseIP(host) == nil || net.ParseIP(host).IsUnspecified() {
		return nil, fmt.Errorf("cannot listen for phones at %q: write this machine's IP address on the network and a port, for example 192.168.1.20:8443", listenAt)
	}
	plain, err := net.Listen("tcp", listenAt)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for phones: %w", err)
	}
	certificate, err := p.certificate(host, hubDir)
	if err != nil {
		return nil, errors.Join(err, plain.Close())
	}
	p.secure = tls.NewListener(plain, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}})
	p.url = "https://" + plain.Addr().String()
	for _, l := range []*net.Listener{&p.issuer, &p.plain} {
		if *l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, fmt.Errorf("cannot listen for phones: %w", err)
		}
	}
	issuer := "http://" + p.issuer.Addr().String()
	keys, err := writeBrokers(hubDir, p.url, plain.Addr().String(), issuer)
	if err != nil {
		return nil, fmt.Errorf("cannot set up the demo's broker: %w", err)
	}
	p.standIn = newBroking()
	p.standIn.Issuer, p.standIn.ClientID, p.standIn.RedirectURL, p.standIn.ClientKeys = issuer, "smartkiosk", p.url+broker.CallbackPath, keys
	p.standIn.Persons = []brokertest.Person{
		{Key: "solveig", Name: "Solveig Prøvesen", BuypassID: "900000001"}, // she also has the valid card
		{Key: "ola", Name: "Ola Prøve", BuypassID: "900000099"},
	}
	// The phone's browser reaches the stand-in where it reaches the pages.
	p.standIn.Discovery = func(doc map[string]any) { doc["authorization_endpoint"] = p.url + "/auth" }
	return p, nil
}

// certificate makes a certificate for a host, which no authority has signed, and writes it to
// the hub's folder.
func (p *phones) certificate(host, hubDir string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "Smartkiosk demo"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife),
		IPAddresses: []net.IP{net.ParseIP(host)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	p.trust.AppendCertsFromPEM(certificate)
	if err := errors.Join(
		os.WriteFile(filepath.Join(hubDir, "phones.pem"), certificate, 0o600),
		os.WriteFile(filepath.Join(hubDir, "phones.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	); err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// writeBrokers configures the sandbox, and returns the public keys for the stand-in.
func writeBrokers(hubDir, url, listenAt, issuer string) (jose.JSONWebKeySet, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return jose.JSONWebKeySet{}, err
	}
	private := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key, KeyID: "demo", Use: "sig", Algorithm: "ES256"}}}
	text, err := json.Marshal(private)
	if err != nil {
		return jose.JSONWebKeySet{}, err
	}
	file := fmt.Sprintf(`# The demo writes this file at each start. The broker is a stand-in.
[public]
listen = %q
url = %q
certificate = "phones.pem"
key = "phones.key"
[groups]
"*" = "standin"
[places]
%s = "Smartkiosk"
[brokers.standin]
environment = "sandbox"
preset = "buypass"
issuer = %q
client_id = "smartkiosk"
keys = "standin.jwks"
domain = "buypass-test"
`, listenAt, url, kioskID, issuer)
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{private.Keys[0].Public()}}, errors.Join(
		os.WriteFile(filepath.Join(hubDir, "standin.jwks"), text, 0o600),
		os.WriteFile(filepath.Join(hubDir, broker.File), []byte(file), 0o600))
}

// serve serves phones until ctx ends.
func (p *phones) serve(ctx context.Context, h *hub.Hub) error {
	mux := http.NewServeMux()
	mux.Handle("/", h.Pages())
	mux.Handle("/auth", p.standIn)
	mux.Handle("/login", p.standIn)
	results := make(chan error, 3)
	for l, handler := range map[net.Listener]http.Handler{p.issuer: p.standIn, p.secure: mux, p.plain: p.framed(mux)} {
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug)}
		stop := context.AfterFunc(ctx, func() { _ = server.Close() })
		defer stop()
		go func() { results <- server.Serve(l) }()
	}
	var err error
	for range 3 {
		if e := <-results; !errors.Is(e, http.ErrServerClosed) && ctx.Err() == nil {
			err = errors.Join(err, fmt.Errorf("cannot serve phones: %w", e))
		}
	}
	return err
}

func (p *phones) close() {
	for _, l := range []net.Listener{p.issuer, p.secure, p.plain} {
		if l != nil {
			_ = l.Close()
		}
	}
}

// framed serves the pages for the phone that the demo's page shows: redirects stay at this
// address, and a page on this machine may frame them.
func (p *phones) framed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(&framedWriter{ResponseWriter: w, from: p.url, to: "http://" + r.Host}, r)
	})
}

type framedWriter struct {
	http.ResponseWriter
	from, to string
	began    bool
}

func (w *framedWriter) begin() {
	if w.began {
		return
	}
	w.began = true
	h := w.Header()
	if at := h.Get("Location"); strings.HasPrefix(at, w.from) {
		h.Set("Location", w.to+at[len(w.from):])
	}
	if policy := h.Get("Content-Security-Policy"); policy != "" {
		h.Set("Content-Security-Policy", strings.Replace(policy, "frame-ancestors 'none'", "frame-ancestors http://127.0.0.1:* http://localhost:*", 1))
	}
	h.Del("Strict-Transport-Security")
}

func (w *framedWriter) WriteHeader(status int) {
	w.begin()
	w.ResponseWriter.WriteHeader(status)
}

func (w *framedWriter) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}
