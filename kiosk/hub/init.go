package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk/event"
)

// InitOptions is what a new hub is told.
type InitOptions struct {
	Listen string // host:port to serve on
	URL    string // https://host:port that kiosks call; the Web eID origin
	Trust  string // a trust.toml or its folder to copy; "" for a template to fill in
}

// Init makes a hub's folder: a CA, the hub's certificate, the key that opens
// events, hub.toml, and trust/. It refuses a folder that is a hub already.
func Init(dir string, o InitOptions) error {
	if err := initialise(dir, o); err != nil {
		return fmt.Errorf("cannot make a hub in %s: %w", dir, err)
	}
	return nil
}

func initialise(dir string, o InitOptions) error {
	if _, err := os.Stat(filepath.Join(dir, settingsFile)); err == nil {
		return errors.New("there is one already")
	}
	if err := checkURL(o.URL); err != nil {
		return err
	}
	hosts, err := serverHosts(o)
	if err != nil {
		return err
	}
	for _, sub := range []string{"", kiosksDir, consumersDir, trustDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	if err := writeServer(dir, hosts, time.Now()); err != nil {
		return err
	}
	if err := writeSeal(dir); err != nil {
		return err
	}
	if o.Trust != "" {
		err = copyTrust(filepath.Join(dir, trustDir), o.Trust)
	} else {
		err = os.WriteFile(filepath.Join(dir, trustDir, trustFile), []byte(trustTemplate), 0o644)
	}
	if err != nil {
		return err
	}
	// Last, because it is what makes the folder a hub.
	return os.WriteFile(filepath.Join(dir, settingsFile), fmt.Appendf(nil, settingsTemplate, o.Listen, o.URL), 0o644)
}

// serverHosts lists the names that the hub's certificate is to have: the
// URL's, and the address listened on if it is one.
func serverHosts(o InitOptions) ([]string, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen = %q is not of the form host:port", o.Listen)
	}
	hosts := []string{u.Hostname()}
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		hosts = append(hosts, host)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts), nil
}

func writeServer(dir string, hosts []string, now time.Time) error {
	ca, err := newAuthority(now)
	if err != nil {
		return err
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	cert, err := ca.server(key.Public(), now, hosts...)
	if err != nil {
		return err
	}
	return errors.Join(
		writeCertificate(filepath.Join(dir, caFile), ca.cert.Raw),
		writeKey(filepath.Join(dir, caKeyFile), ca.key),
		writeCertificate(filepath.Join(dir, serverFile), cert),
		writeKey(filepath.Join(dir, serverKeyFile), key),
	)
}

// writeSeal makes the key pair that events are sealed to.
func writeSeal(dir string) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	id, err := event.KeyID(key.Public())
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(jose.JSONWebKey{
		Key: key, KeyID: id, Use: "enc", Algorithm: string(jose.ECDH_ES_A256KW),
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, sealFile), append(text, '\n'), 0o600)
}

const settingsTemplate = `# A hub of smartkiosk. kioskhub serve reads this file.

# Where to listen.
listen = %q

# How kiosks reach this hub, and the origin that cards sign for. Both the
# hub's certificate and the kiosks' bundles hold it.
url = %q
`
