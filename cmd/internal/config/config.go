// Package config reads kioskd.toml: the kiosk's id, its hub, the cards that it trusts,
// its reader and its panel.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"smartkiosk/cmd/internal/bootfiles"
	"smartkiosk/device/browser"
	"smartkiosk/device/tomlfile"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// Config is the content of kioskd.toml. Load makes every path absolute.
type Config struct {
	ID       string `toml:"id"`       // the name in the kiosk's certificate
	State    string `toml:"state"`    // folder of the outbox, the records and other state
	Language string `toml:"language"` // BCP 47 tag of the language in which the panel starts
	Hub      Hub    `toml:"hub"`
	Trust    Trust  `toml:"trust"`
	Reader   Reader `toml:"reader"`
	Panel    Panel  `toml:"panel"`
	Speech   Speech `toml:"speech"`
	Outbox   Outbox `toml:"outbox"`
	Feed     Feed   `toml:"feed"`

	SCProxy SCProxy `toml:"scproxy"`
	Display Display `toml:"display"`
}

// Hub says how the kiosk reaches the hub and authenticates to it.
type Hub struct {
	URL         string `toml:"url"`         // https://host[:port]; also the origin of the Web eID tokens
	CA          string `toml:"ca"`          // PEM: the CA that issued the hub's certificate
	Certificate string `toml:"certificate"` // PEM: the kiosk's certificate
	Key         string `toml:"key"`         // PEM: the P-256 device key, or the key file of a key in a TPM
	TPM         string `toml:"tpm"`         // device of the TPM; default /dev/tpmrm0
	Seal        string `toml:"seal"`        // JWK: the public key to which events are sealed
	Sign        string `toml:"sign"`        // JWK: the public key that verifies the hub's policy
}

// Trust says which cards the kiosk accepts. It also says which holders the kiosk
// admits while the hub is unreachable, until it has received its first policy from the hub.
type Trust struct {
	Domains string                `toml:"domains"` // trust.toml
	Offline hubpolicy.OfflineRule `toml:"offline"` // Never or Trusted
}

// Reader says which PC/SC reader the kiosk uses, and how it talks to the cards.
type Reader struct {
	Match    string `toml:"match"`    // a part of the reader's name; "" matches every reader
	PINPad   string `toml:"pinpad"`   // "off": the kiosk's keypad takes the PIN even if the reader has keys; "" uses the reader's keys
	Profiles string `toml:"profiles"` // folder of card profiles in addition to the built-in ones; "" for none
	PKCS11   string `toml:"pkcs11"`   // PKCS #11 library of the card vendor, which replaces our driver; "" for none. Needs the build tag pkcs11
}

// Panel describes the front panel: parts that are wired to the machine, a web page, or
// both. If there are both, they show the same screens, and the page takes keys only if
// the board has no keypad.
type Panel struct {
	Board  string   `toml:"board"`  // file that lists the parts (see device/board); "" for none
	Listen string   `toml:"listen"` // loopback address of the web panel; "" for none
	Names  string   `toml:"names"`  // "full": the screen shows the holder's whole name; "" shows the first name and an initial
	Users  []string `toml:"users"`  // users who may open the page and the service for login pages, in addition to root and kioskd's own user; normally the user of the kiosk's browser
}

// Speech says whether the kiosk speaks its screens, for a person who cannot see them.
type Speech struct {
	Enabled bool     `toml:"enabled"`
	Command []string `toml:"command"` // the speech engine (see device/speech); empty for espeak-ng
}

// Outbox limits how much the kiosk keeps.
type Outbox struct {
	Keep  int   `toml:"keep"`   // acknowledged events that stay in the outbox for inspection; default 64
	MaxMB int64 `toml:"max_mb"` // largest size of the file in MiB; default 1024
}

// Feed says who may pull events from the kiosk itself.
type Feed struct {
	Listen   string   `toml:"listen"`   // host:port; "" switches the feed off
	Required []string `toml:"required"` // consumers that must acknowledge an event before the kiosk deletes it
}

// SCProxy says whether Buypass' login pages, in a browser on this machine, may use the
// card in the reader while no visit is in progress. A card that is inserted while a
// page waits for it begins no visit.
type SCProxy struct {
	Enabled bool   `toml:"enabled"`
	Record  string `toml:"record"` // file for "kioskctl scproxy record on"; "" for none
}

// Display says whether Chromium shows the panel's page under kioskd's control ("kioskd
// browser"). It can then show the hosted page of a broker, so that people log in there.
type Display struct {
	Driver  string   `toml:"driver"`  // "browser", or "" for a browser that kioskd does not control
	Origins []string `toml:"origins"` // https://host[:port]: where hosted pages may go; the brokers', the eIDs', and the one of the hub's callback
}

// BrowserDriver is the Driver of a Chromium under kioskd's control.
const BrowserDriver = "browser"

// PanelURL returns the address of the web panel.
func (c *Config) PanelURL() string { return "http://" + c.Panel.Listen + "/" }

// Load reads and checks a configuration file, and kiosk.toml if that is next to it. Paths in the file are relative to its
// folder. The error names the file, and the line or key.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read configuration: %w", err)
	}
	c := &Config{Language: "nb", Hub: Hub{TPM: "/dev/tpmrm0"}, Outbox: Outbox{Keep: 64, MaxMB: 1024}}
	if err := tomlfile.Decode(data, c); err != nil {
		return nil, fmt.Errorf("cannot read configuration %s: %w", path, err)
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("cannot find folder of %s: %w", path, err)
	}
	if err := c.override(folder); err != nil {
		return nil, fmt.Errorf("cannot read configuration in %s: %w", folder, err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("cannot use configuration %s: %w", path, err)
	}
	for _, p := range []*string{&c.State, &c.Hub.CA, &c.Hub.Certificate, &c.Hub.Key, &c.Hub.TPM, &c.Hub.Seal, &c.Hub.Sign, &c.Trust.Domains} {
		if !filepath.IsAbs(*p) {
			*p = filepath.Join(folder, *p)
		}
	}
	for _, p := range []*string{&c.Reader.Profiles, &c.Reader.PKCS11, &c.Panel.Board, &c.SCProxy.Record} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(folder, *p)
		}
	}
	return c, nil
}

// override puts the settings of kiosk.toml, of which the first start keeps a copy next to
// kioskd.toml, in place of those in kioskd.toml.
func (c *Config) override(folder string) error {
	s, err := bootfiles.ReadSettings(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if s.Language != "" {
		c.Language = s.Language
	}
	if s.Reader != "" {
		c.Reader.Match = s.Reader
	}
	if s.Board != "" {
		c.Panel.Board = BoardFile(folder, s.Board)
	}
	return nil
}

// boards is where the package kioskd has wiring files.
const boards = "/usr/share/smartkiosk/boards"

// BoardFile returns the path of a wiring file that kiosk.toml names: a file in the folder of
// kioskd.toml, or else one that comes with kioskd.
func BoardFile(folder, name string) string {
	own := filepath.Join(folder, name)
	if _, err := os.Stat(own); err == nil {
		return own
	}
	return filepath.Join(boards, strings.TrimSuffix(name, ".toml")+".toml")
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
	if c.Reader.PINPad != "" && c.Reader.PINPad != "off" {
		return fmt.Errorf("reader.pinpad is %q, not \"off\" or \"\"", c.Reader.PINPad)
	}
	if c.Panel.Names != "" && c.Panel.Names != "full" {
		return fmt.Errorf("panel.names is %q, not \"full\" or \"\"", c.Panel.Names)
	}
	for _, name := range c.Feed.Required {
		if !hubapi.ValidName(name) {
			return fmt.Errorf("feed.required has %q, which is no name of a consumer", name)
		}
	}
	if err := c.Display.check(c.Panel.Listen); err != nil {
		return err
	}
	if c.SCProxy.Record != "" && !c.SCProxy.Enabled {
		return errors.New("scproxy.record is set, but scproxy.enabled is not true")
	}
	if c.Panel.Listen != "" {
		return CheckLoopback(c.Panel.Listen)
	}
	if c.Panel.Board == "" {
		return errors.New("[panel] is empty: write board, the file of what is wired to this machine, or listen, the address of a web panel, or both")
	}
	return nil
}

func (d Display) check(listen string) error {
	switch {
	case d.Driver != "" && d.Driver != BrowserDriver:
		return fmt.Errorf("display.driver is %q, not %q or \"\"", d.Driver, BrowserDriver)
	case d.Driver == "" && len(d.Origins) > 0:
		return errors.New("display.origins is set, but display.driver is not")
	case d.Driver != "" && listen == "":
		return errors.New("display.driver is set, but panel.listen is not: the browser shows the web panel")
	}
	for _, o := range d.Origins {
		if err := browser.CheckOrigin(o); err != nil {
			return fmt.Errorf("display.origins: %w", err)
		}
	}
	return nil
}

// Bounds of outbox.max_mb: the smallest size in which an outbox works, and the largest
// that a 32-bit machine can map.
const (
	minMaxMB = 4
	maxMaxMB = 1024
)

// optional lists the keys that may be empty.
var optional = []string{"reader.match", "reader.profiles", "reader.pkcs11", "reader.pinpad", "panel.board", "panel.listen", "panel.names", "panel.users", "outbox.keep", "speech.enabled", "speech.command", "feed.listen", "feed.required", "scproxy.enabled", "scproxy.record", "display.driver", "display.origins"}

// missing returns the first key that must have a value and has none, or "".
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

// CheckLoopback returns an error unless address is host:port with a loopback host. The
// web panel takes PINs, so only this machine may reach it.
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
