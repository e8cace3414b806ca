package hub

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/nats-io/nats.go"
	"github.com/pelletier/go-toml/v2"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/rules"
	"smartkiosk/kiosk/trust"
	"smartkiosk/kiosk/webeid"
)

// Validator judges a Web eID token for a nonce. A token that proves nobody is
// a *trust.Refusal; any other error says that it cannot judge.
type Validator interface {
	Validate(ctx context.Context, token []byte, nonce string, at time.Time) (kiosk.Holder, error)
}

// Config is what a hub runs on.
type Config struct {
	Listen      string          // host:port to serve on; for whoever makes the listener
	URL         string          // https://host:port that kiosks call; the Web eID origin
	Certificate tls.Certificate // the hub's
	Clients     *x509.CertPool  // the CA of kiosks and consumers
	Seal        []jose.JSONWebKey
	Validator   Validator
	Rules       *rules.File // who is let in, of those whose card is in order

	JetStream string     // folder of the embedded JetStream
	Conn      *nats.Conn // a JetStream to use instead; whoever made it closes it

	Now  func() time.Time
	Rand io.Reader
}

// settings is hub.toml.
type settings struct {
	Listen string `toml:"listen"`
	URL    string `toml:"url"`
}

// Names of the files in a hub's folder.
const (
	settingsFile   = "hub.toml"
	caFile         = "ca.pem"
	caKeyFile      = "ca.key"
	serverFile     = "server.pem"
	serverKeyFile  = "server.key"
	sealFile       = "seal.jwk"
	trustDir       = "trust"
	trustFile      = "trust.toml"
	kiosksDir      = "kiosks"
	rulesFile      = "rules.toml"
	consumersDir   = "consumers"
	jetstreamDir   = "jetstream"
	bundleCAFile   = "hub-ca.pem"
	bundleSealFile = "hub-seal.jwk"
)

// Load reads the configuration and keys in a folder made by Init, and the
// trust domains that the operator put there.
func Load(dir string) (Config, error) {
	s, err := readSettings(dir)
	if err != nil {
		return Config{}, err
	}
	ca, _, err := readCertificate(filepath.Join(dir, caFile))
	if err != nil {
		return Config{}, err
	}
	clients := x509.NewCertPool()
	clients.AddCert(ca)
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, serverFile), filepath.Join(dir, serverKeyFile))
	if err != nil {
		return Config{}, fmt.Errorf("cannot read the hub's certificate: %w", err)
	}
	seal, err := readSeal(filepath.Join(dir, sealFile))
	if err != nil {
		return Config{}, err
	}
	domains, err := trust.Load(filepath.Join(dir, trustDir, trustFile))
	if err != nil {
		return Config{}, err
	}
	admitted, err := rules.Open(filepath.Join(dir, rulesFile))
	if err != nil {
		return Config{}, err
	}
	return Config{
		Listen:      s.Listen,
		URL:         s.URL,
		Certificate: pair,
		Clients:     clients,
		Seal:        []jose.JSONWebKey{seal},
		Validator:   &webeid.Validator{Origin: s.URL, Domains: domains, OCSP: trust.NewOCSP(http.DefaultTransport, rand.Reader)},
		Rules:       admitted,
		JetStream:   filepath.Join(dir, jetstreamDir),
		Now:         time.Now,
		Rand:        rand.Reader,
	}, nil
}

func readSettings(dir string) (settings, error) {
	path := filepath.Join(dir, settingsFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return settings{}, fmt.Errorf("cannot find a hub in %s: run `kioskhub init %s` first", dir, dir)
	}
	if err != nil {
		return settings{}, fmt.Errorf("cannot read configuration: %w", err)
	}
	s, err := parseSettings(text)
	if err != nil {
		return settings{}, fmt.Errorf("cannot read configuration %s: %w", path, err)
	}
	return s, nil
}

func parseSettings(text []byte) (settings, error) {
	var s settings
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&s); err != nil {
		if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
			return settings{}, fmt.Errorf("unknown key\n%s", strict.String())
		}
		if decode, ok := errors.AsType[*toml.DecodeError](err); ok {
			return settings{}, fmt.Errorf("malformed\n%s", decode.String())
		}
		return settings{}, err
	}
	if s.Listen == "" {
		return settings{}, errors.New("listen is missing")
	}
	return s, checkURL(s.URL)
}

// checkURL holds a hub's URL to what a Web eID origin is: https, a host,
// maybe a port, and nothing else.
func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || s != "https://"+u.Host {
		return fmt.Errorf("url = %q is not of the form https://host:port", s)
	}
	return nil
}

// readSeal reads the private key that opens events (RFC 7517).
func readSeal(path string) (jose.JSONWebKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("cannot read the sealing key: %w", err)
	}
	var key jose.JSONWebKey
	if json.Unmarshal(text, &key) != nil || key.IsPublic() || !key.Valid() {
		return jose.JSONWebKey{}, fmt.Errorf("cannot read the sealing key: %s holds no private JWK", path)
	}
	return key, nil
}
