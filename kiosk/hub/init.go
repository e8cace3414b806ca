package hub

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/sealkey"
)

// InitOptions are the settings of a new hub.
type InitOptions struct {
	Listen string // host:port to serve on
	URL    string // https://host:port under which kiosks call the hub; also the Web eID origin
	Trust  string // a trust.toml or its folder to copy; "" for a template to fill in

	// Offline is what kiosks may decide offline: Never (also if it is empty) or
	// Trusted.
	Offline hubpolicy.OfflineRule
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
	for _, sub := range []string{"", kiosksDir, consumersDir, operatorsDir, trustDir} {
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
	return os.WriteFile(filepath.Join(dir, settingsFile), fmt.Appendf(nil, settingsTemplate, o.Listen, o.URL, cmp.Or(o.Offline, hubpolicy.Never)), 0o644)
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
	ca, err := newAuthority("Smartkiosk hub CA", now)
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

# The certificates of kiosks, consumers and operators. A kiosk renews its own when two
# thirds of the time are over. Consumers and operators: kioskhub consumer renew.
[certificates]
lifetime = "2160h" # 90 days

# How long the hub stores events and their evidence: the signed original, and what the
# card signed. It deletes nothing before every consumer has acknowledged the event, except
# the consumers in optional.
[retention]
events_days = 400
evidence_days = 90
#max_gib = 50.0          # delete the oldest events earlier if there are more than this
#optional = ["dashboard"]

# Where consumers with a NATS client connect (kioskhub consumer add --nats).
#[nats]
#listen = ":4222"

# What kiosks may decide while they cannot reach this hub. A kiosk gets these rules
# with its policy, and applies them for valid_for after it has reached the hub last.
[offline]
#
# rule says whom a kiosk lets in then:
#   "never"    no one.
#   "known"    holders whom this hub has let in within known_days, at that kiosk or
#              at one of the same group in rules.toml. Deny rules of rules.toml
#              apply. Allow rules, the default and the webhook do not.
#   "trusted"  every holder of a valid card whom no deny rule names. With default =
#              "deny" or a webhook in rules.toml this lets in more people offline
#              than online; the hub then warns in its log.
# In no case does a kiosk let in a revoked card, or decide without a valid CRL.
rule = %q
#known_days = 30         # with "known"
#crl_max_age = "48h"     # with "trusted": how old the CRL may be; "0s" leaves it to trust.toml
per_holder = 0           # how often a kiosk lets in one holder in a day (UTC) until it reaches the hub again; 0 means no limit
per_kiosk = 0            # how often it lets in all holders together until it reaches the hub again
untrusted_clock = "deny" # or "allow": while the kiosk's clock is known to be wrong
valid_for = "72h"
ask_every = "15m"        # how often kiosks ask for a newer policy
`

const rulesTemplate = `# Which holders of a valid card are let in. A running hub loads this file again when
# it changes. If the file has an error, the hub keeps the rules that it has and logs
# the error. To see what the rules do: kioskhub rules check rules.toml

# The decision if no rule applies: "allow" or "deny".
default = "allow"

# A deny rule wins over all allow rules. Each condition may be left out, but a rule
# must have at least one.
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
# The hub can ask your own system about each holder whom the rules let in. It sends
# a signed request, see https://www.standardwebhooks.com
#
#[webhook]
#url = "https://door.example/admission"
#secret_file = "webhook.secret" # whsec_ and 24 to 64 random bytes in base64
#timeout = "1s"
#on_failure = "deny" # or "allow"
`
