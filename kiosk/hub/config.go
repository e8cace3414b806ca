package hub

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
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

	"smartkiosk/device/tomlfile"
	"smartkiosk/kiosk/hub/broker"
	"smartkiosk/kiosk/hub/rules"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/sealkey"
	"smartkiosk/kiosk/protocol/trust"
)

// Config is the configuration of a hub.
type Config struct {
	Folder      string           // the hub's folder
	Listen      string           // host:port to serve on; the caller of Serve opens the listener
	URL         string           // https://host:port under which kiosks call the hub; also the Web eID origin
	Certificate tls.Certificate  // the hub's
	Clients     *x509.CertPool   // the CA that issues the certificates of kiosks and consumers
	Seal        *sealkey.Watched // keys that open events; kiosks seal to the newest
	Sign        jose.JSONWebKey  // signs the policies
	Trust       *Trust           // decides which cards are valid
	Rules       *rules.File      // decide which holders of a valid card are let in
	Brokers     *broker.Set      // log people in by phone; nil for none

	Lifetime  time.Duration // of the certificates that the hub issues
	authority *authority    // issues them

	Retention RetentionConfig // how long events are stored
	Offline   OfflineConfig   // what kiosks may decide while they cannot reach the hub
	CRLs      string          // folder of the fetched CRLs
	CRLsEvery time.Duration   // how often they are fetched

	JetStream string       // folder of the embedded JetStream
	NATS      natsSettings // an external JetStream to use instead, if it has a URL
	Conn      *nats.Conn   // one that is connected already; the caller closes it

	Now  func() time.Time
	Rand io.Reader
}

// settings is the content of hub.toml.
type settings struct {
	Listen string `toml:"listen"`
	URL    string `toml:"url"`
	// EarlierURLs are those that some kiosks still use.
	EarlierURLs []string `toml:"earlier_urls"`

	CRLs      crlSettings     `toml:"crls"`
	Offline   OfflineConfig   `toml:"offline"`
	Retention RetentionConfig `toml:"retention"`

	Certificates certificateSettings `toml:"certificates"`

	NATS natsSettings `toml:"nats"`
}

// certificateSettings apply to the certificates that the hub issues.
type certificateSettings struct {
	Lifetime hubpolicy.Duration `toml:"lifetime"`
}

func (s settings) lifetime() time.Duration { return time.Duration(s.Certificates.Lifetime) }

// crlSettings say how often the hub fetches CRLs.
type crlSettings struct {
	Every hubpolicy.Duration `toml:"every"`
}

// maxLifetime is five years, the lifetime of certificates before they could be renewed.
const maxLifetime = 5 * 366 * 24 * time.Hour

// defaultSettings apply to what hub.toml does not set. By default kiosks decide nothing
// offline.
func defaultSettings() settings {
	return settings{
		CRLs:         crlSettings{Every: hubpolicy.Duration(time.Hour)},
		Certificates: certificateSettings{Lifetime: hubpolicy.Duration(defaultLifetime)},
		NATS:         natsSettings{Replicas: defaultReplicas},
		Retention:    RetentionConfig{EventsDays: 400, EvidenceDays: 90},
		Offline: OfflineConfig{
			OfflineRules: hubpolicy.OfflineRules{Rule: hubpolicy.Never, UntrustedClock: hubpolicy.Deny},
			ValidFor:     hubpolicy.Duration(72 * time.Hour), AskEvery: hubpolicy.Duration(15 * time.Minute),
		},
	}
}

// Names of the files in a hub's folder.
const (
	settingsFile   = "hub.toml"
	caFile         = "ca.pem"
	caKeyFile      = "ca.key"
	serverFile     = "server.pem"
	serverKeyFile  = "server.key"
	sealFile       = "seal.jwk"
	signFile       = "sign.jwk"
	crlsDir        = "crls"
	updatesDir     = "updates"
	trustDir       = "trust"
	trustFile      = "trust.toml"
	kiosksDir      = "kiosks"
	rulesFile      = "rules.toml"
	consumersDir   = "consumers"
	operatorsDir   = "operators"
	removedDir     = "removed"
	jetstreamDir   = "jetstream"
	bundleCAFile   = "hub-ca.pem"
	bundleSealFile = "hub-seal.jwk"
	bundleSignFile = "hub-sign.jwk"
)

// bundleDirs are the folders of the clients' bundles.
var bundleDirs = map[hubapi.Role]string{
	hubapi.RoleKiosk: kiosksDir, hubapi.RoleConsumer: consumersDir, hubapi.RoleOperator: operatorsDir,
}

// Load reads the configuration, the keys and the trust domains from a folder that Init
// made.
func Load(dir string) (Config, error) {
	s, err := readSettings(dir)
	if err != nil {
		return Config{}, err
	}
	ca, err := readAuthority(dir)
	if err != nil {
		return Config{}, err
	}
	clients := x509.NewCertPool()
	clients.AddCert(ca.cert)
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, serverFile), filepath.Join(dir, serverKeyFile))
	if err != nil {
		return Config{}, fmt.Errorf("cannot read the hub's certificate: %w", err)
	}
	if err := checkCovered(pair, s.URL); err != nil {
		return Config{}, err
	}
	seal, err := sealkey.Watch(filepath.Join(dir, sealFile))
	if err != nil {
		return Config{}, err
	}
	sign, err := readPrivateJWK(filepath.Join(dir, signFile))
	if err != nil {
		return Config{}, err
	}
	domains, err := trust.Load(filepath.Join(dir, trustDir, trustFile))
	if err != nil {
		return Config{}, err
	}
	trusted, err := NewTrust(s.URL, domains, trust.NewOCSP(http.DefaultTransport, rand.Reader))
	if err != nil {
		return Config{}, err
	}
	trusted.earlier = s.EarlierURLs
	brokers, err := broker.Load(dir, broker.Surroundings{HTTP: http.DefaultTransport, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		return Config{}, err
	}
	names := domains.Names()
	if brokers != nil {
		names = append(names, brokers.Domains()...)
	}
	admitted, err := rules.Open(filepath.Join(dir, rulesFile), names)
	if err != nil {
		return Config{}, err
	}
	return Config{
		Folder:      dir,
		Listen:      s.Listen,
		URL:         s.URL,
		Certificate: pair,
		Clients:     clients,
		Lifetime:    s.lifetime(),
		authority:   ca,
		Seal:        seal,
		Sign:        sign,
		Trust:       trusted,
		Offline:     s.Offline,
		Retention:   s.Retention,
		CRLs:        filepath.Join(dir, crlsDir),
		CRLsEvery:   time.Duration(s.CRLs.Every),
		Rules:       admitted,
		Brokers:     brokers,
		JetStream:   filepath.Join(dir, jetstreamDir),
		NATS:        s.NATS,
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

// ReadOffline reads what kiosks may decide offline from the hub.toml in a hub's folder.
func ReadOffline(dir string) (hubpolicy.OfflineRules, error) {
	s, err := readSettings(dir)
	return s.Offline.OfflineRules, err
}

func parseSettings(text []byte) (settings, error) {
	s := defaultSettings()
	if err := tomlfile.Decode(text, &s); err != nil {
		return settings{}, err
	}
	if s.Listen == "" {
		return settings{}, errors.New("listen is missing")
	}
	if s.CRLs.Every < hubpolicy.Duration(time.Minute) {
		return settings{}, errors.New("crls.every must be at least 1m")
	}
	if l := s.lifetime(); l < time.Hour || l > maxLifetime {
		return settings{}, fmt.Errorf("certificates.lifetime must be from 1h to %s", maxLifetime)
	}
	if err := s.Offline.check(); err != nil {
		return settings{}, err
	}
	if err := s.NATS.check(); err != nil {
		return settings{}, err
	}
	if err := s.Retention.check(); err != nil {
		return settings{}, err
	}
	for _, u := range s.EarlierURLs {
		if err := checkURL(u); err != nil {
			return settings{}, fmt.Errorf("earlier_urls: %w", err)
		}
	}
	return s, checkURL(s.URL)
}

// checkURL checks that a hub's URL is a Web eID origin: https, a host, optionally a
// port, and nothing else.
func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || s != "https://"+u.Host {
		return fmt.Errorf("url = %q is not of the form https://host:port", s)
	}
	return nil
}
