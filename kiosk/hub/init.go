package hub

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"smartkiosk/kiosk/protocol/sealkey"
)

// InitOptions are the settings of a new hub.
type InitOptions struct {
	Listen string // host:port to serve on
	URL    string // https://host:port under which kiosks call the hub; also the Web eID origin
	Trust  string // a trust.toml or its folder to copy; "" for a template to fill in
}

// Init makes a hub's folder: a CA, the hub's certificate, the keys that open events and
// sign policies, hub.toml, rules.toml and trust/. It refuses a folder that already holds
// a hub.
func Init(dir string, o InitOptions) error {
	if err := initialise(dir, o); err != nil {
		return fmt.Errorf("cannot make a hub in %s: %w", dir, err)
	}
	return nil
}

func initialise(dir string, o InitOptions) error {
	if _, err := os.Stat(filepath.Join(dir, settingsFile)); err == nil {
		return errors.New("the folder already holds a hub")
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
	if err := sealkey.Init(filepath.Join(dir, sealFile), time.Now()); err != nil {
		return err
	}
	if err := writeSigningJWK(filepath.Join(dir, signFile)); err != nil {
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
	if err := os.WriteFile(filepath.Join(dir, rulesFile), []byte(rulesTemplate), 0o600); err != nil {
		return err
	}
	// hub.toml comes last, because a folder with it counts as a hub.
	return os.WriteFile(filepath.Join(dir, settingsFile), fmt.Appendf(nil, settingsTemplate, o.Listen, o.URL), 0o644)
}

// serverHosts lists the names for the hub's certificate: the host of the URL, and the
// host of the listen address if that is a definite one.
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

const settingsTemplate = `# A hub of smartkiosk. kioskhub serve reads this file.

# Where to listen.
listen = %q

# How kiosks reach this hub, and the origin that cards sign for. Both the
# hub's certificate and the kiosks' bundles hold it.
url = %q

# How often CRLs are fetched from the crl_urls of trust/trust.toml.
[crls]
every = "1h"

# What kiosks may decide while they cannot reach this hub. They are told when they
# can, and hold to it until valid_for after that.
[offline]
rule = "trusted"         # "never"; "known": whom this hub let in within known_days; "trusted": any card that is in order
#known_days = 30
crl_max_age = "48h"      # with "trusted": how old the CRL may be; "0s" leaves it to trust.toml
per_holder = 0           # how often one may be let in before the hub is reached again; 0 for any number
per_kiosk = 0            # and all together
untrusted_clock = "deny" # or "allow": while the kiosk's clock is known to be wrong
valid_for = "72h"
ask_every = "15m"        # how often kiosks look for what has changed
`

const rulesTemplate = `# Who is let in, of those whose card is in order. A hub that serves reads this
# file anew when it changes; a mistake in it leaves the rules of before in force
# and is told in the hub's log. Try it: kioskhub rules check rules.toml

# What holds where no rule speaks: "allow" or "deny".
default = "allow"

# A rule that turns away goes before all that let in. Every key may be left out,
# but a rule has to say something.
#
#timezone = "Europe/Oslo"
#
#[groups]
#workshop = ["k1", "k2"]
#
#[[rule]]
#name = "day-shift"
#action = "allow"
#subjects = ["UN:NO-9578-4050-900000001"]
#domains = ["buypass"]
#kiosks = ["k7"]
#groups = ["workshop"]
#weekdays = ["mon-fri"]
#hours = ["07:00-17:00"]
#from = 2026-01-01
#until = 2026-12-31
#
# Your own system may have the last word on those whom the rules let in.
# It is asked by a signed request, see https://www.standardwebhooks.com
#
#[webhook]
#url = "https://door.example/admission"
#secret_file = "webhook.secret" # whsec_ and 24 to 64 random bytes as base64
#timeout = "1s"
#on_failure = "deny" # or "allow"
`
