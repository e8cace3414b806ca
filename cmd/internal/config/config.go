// Package config reads kioskd.toml: who the kiosk is, where its hub is, whom
// it trusts, and what it is made of.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"smartkiosk/device/tomlfile"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// Config is the content of kioskd.toml. Load makes every path absolute.
type Config struct {
	ID       string `toml:"id"`       // as in the kiosk's certificate
	State    string `toml:"state"`    // folder of the outbox
	Language string `toml:"language"` // BCP 47: what the panel begins in
	Hub      Hub    `toml:"hub"`
	Trust    Trust  `toml:"trust"`
	Reader   Reader `toml:"reader"`
	Panel    Panel  `toml:"panel"`
	Outbox   Outbox `toml:"outbox"`
	Feed     Feed   `toml:"feed"`

	SCProxy SCProxy `toml:"scproxy"`
}

// Hub says how to reach the hub and be known to it.
type Hub struct {
	URL         string `toml:"url"`         // https://host[:port]; tokens are made for it
	CA          string `toml:"ca"`          // PEM: who vouches for the hub
	Certificate string `toml:"certificate"` // PEM: the kiosk's
	Key         string `toml:"key"`         // PEM: the device key, P-256, or the file of one in a TPM
	TPM         string `toml:"tpm"`         // its device; /dev/tpmrm0 unless said
	Seal        string `toml:"seal"`        // JWK: what events are sealed to
	Sign        string `toml:"sign"`        // JWK: the public key that verifies the hub's policy
}

// Trust says whose cards count, and who is let in while the hub is out of reach,
// until the kiosk has its first policy from the hub.
type Trust struct {
	Domains string                `toml:"domains"` // trust.toml
	Offline hubpolicy.OfflineRule `toml:"offline"` // Never or Trusted
}

// Reader says which PC/SC reader the card goes into, and how cards are spoken
// to.
type Reader struct {
	Match    string `toml:"match"`    // a part of its name; "" takes any
	Profiles string `toml:"profiles"` // folder of card profiles beside those compiled in; "" for none
	PKCS11   string `toml:"pkcs11"`   // library of the cards' vendor, in place of our driver; "" for none. Needs the build tag pkcs11
}

// Panel says what the front panel is: parts that are wired to the machine, a
// web page, or both, which then show and take the same.
type Panel struct {
	Board  string   `toml:"board"`  // file that lists the parts (see device/board); "" for none
	Listen string   `toml:"listen"` // loopback address of the web panel; "" for none
	Users  []string `toml:"users"`  // who, besides root and kioskd's own user, may open the page and the service for login pages: the user of the kiosk's browser
}

// Outbox says how much the kiosk keeps.
type Outbox struct {
	Keep  int   `toml:"keep"`   // events that the hub has, to be looked at; 64 unless said
	MaxMB int64 `toml:"max_mb"` // size of the file in MiB; 1024 unless said
}

// Feed says who may pull events from the kiosk itself.
type Feed struct {
	Listen   string   `toml:"listen"`   // host:port; "" lets nobody
	Required []string `toml:"required"` // consumers for whom events are kept until they have them
}

// SCProxy says whether Buypass' login pages, in a browser on this machine, may
// reach a card that is in the reader while no visit goes on.
type SCProxy struct {
	Enabled bool `toml:"enabled"`
}

// Load reads and checks a configuration file. Paths in it are relative to the
// folder it is in. The error names the file, and the line or key.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read configuration: %w", err)
	}
	c := &Config{Language: "nb", Hub: Hub{TPM: "/dev/tpmrm0"}, Outbox: Outbox{Keep: 64, MaxMB: 1024}}
	if err := tomlfile.Decode(data, c); err != nil {
		return nil, fmt.Errorf("cannot read configuration %s: %w", path, err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("cannot use configuration %s: %w", path, err)
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("cannot find folder of %s: %w", path, err)
	}
	for _, p := range []*string{&c.State, &c.Hub.CA, &c.Hub.Certificate, &c.Hub.Key, &c.Hub.TPM, &c.Hub.Seal, &c.Hub.Sign, &c.Trust.Domains} {
		if !filepath.IsAbs(*p) {
			*p = filepath.Join(folder, *p)
		}
	}
	for _, p := range []*string{&c.Reader.Profiles, &c.Reader.PKCS11, &c.Panel.Board} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(folder, *p)
		}
	}
	return c, nil
}

func (c *Config) check() error {
	if key := missing("", reflect.ValueOf(*c)); key != "" {
		return fmt.Errorf("%s is missing", key)
	}
	if !hubapi.ValidName(c.ID) {
		return fmt.Errorf("id %q is no kiosk id: lower-case letters, digits and hyphens, at most 63", c.ID)
	}
	if u, err := url.Parse(c.Hub.URL); err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
		return fmt.Errorf("hub.url %q is not https://host[:port], without a slash at the end", c.Hub.URL)
	}
	rules := []hubpolicy.OfflineRule{hubpolicy.Never, hubpolicy.Trusted}
	if !slices.Contains(rules, c.Trust.Offline) {
		return fmt.Errorf("trust.offline is %q, not one of %q", c.Trust.Offline, rules)
	}
	if c.Outbox.Keep < 0 || c.Outbox.MaxMB < minMaxMB || c.Outbox.MaxMB > maxMaxMB {
		return fmt.Errorf("outbox.keep %d is below 0, or outbox.max_mb %d not from %d to %d", c.Outbox.Keep, c.Outbox.MaxMB, minMaxMB, maxMaxMB)
	}
	for _, name := range c.Feed.Required {
		if !hubapi.ValidName(name) {
			return fmt.Errorf("feed.required has %q, which is no name of a consumer", name)
		}
	}
	if c.Panel.Listen != "" {
		return CheckLoopback(c.Panel.Listen)
	}
	if c.Panel.Board == "" {
		return errors.New("[panel] is empty: write board, the file of what is wired to this machine, or listen, the address of a web panel, or both")
	}
	return nil
}

// Bounds of outbox.max_mb: the least that an outbox works in, and what a
// machine of 32 bits can map.
const (
	minMaxMB = 4
	maxMaxMB = 1024
)

// optional are the keys that may be left empty.
var optional = []string{"reader.match", "reader.profiles", "reader.pkcs11", "panel.board", "panel.listen", "panel.users", "outbox.keep", "feed.listen", "feed.required", "scproxy.enabled"}

// missing gives the first key that must have a value and has none.
func missing(prefix string, v reflect.Value) string {
	for i := range v.NumField() {
		key := prefix + v.Type().Field(i).Tag.Get("toml")
		switch f := v.Field(i); {
		case f.Kind() == reflect.Struct:
			if m := missing(key+".", f); m != "" {
				return m
			}
		case f.IsZero() && !slices.Contains(optional, key):
			return key
		}
	}
	return ""
}

// CheckLoopback tells whether a panel may listen at address: whoever reaches
// the web panel types PINs there, so that it is for this machine alone.
func CheckLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("panel address %q is not host:port", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("panel address %q is not a loopback address: the web panel is for this machine alone, use 127.0.0.1", address)
	}
	return nil
}
