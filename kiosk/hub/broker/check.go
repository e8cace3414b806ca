package broker

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk"
)

// CheckState is the result of one check of a set-up.
type CheckState string

const (
	CheckOK      CheckState = "ok"
	CheckFailed  CheckState = "FAILED"
	CheckUnknown CheckState = "unknown" // it cannot be seen from here; Advice says who knows
	CheckNotRun  CheckState = "not run" // because an earlier check failed, or a person has to do it
)

// Check is one step of setting up a broker.
type Check struct {
	Name   string     `json:"check"`
	State  CheckState `json:"state"`
	Found  string     `json:"found"`            // what was looked at, and what was there
	Advice string     `json:"advice,omitempty"` // what to do, and who can help
}

// maxClockSkew is the difference of clocks that Check accepts. Assertions are valid for a
// minute.
const maxClockSkew = 20 * time.Second

// checker collects the checks of one broker.
type checker struct {
	*Client
	checks   []Check
	provider *provider
}

func (c *checker) add(name string, state CheckState, advice, format string, args ...any) {
	c.checks = append(c.checks, Check{name, state, fmt.Sprintf(format, args...), advice})
}

// Check walks through the set-up in the order in which it is done. It asks the broker and,
// through phones, this hub's own pages. It begins no login.
func (c *Client) Check(ctx context.Context, phones http.RoundTripper) []Check {
	k := &checker{Client: c}
	k.account()
	if k.config.preset.REST {
		k.api(ctx)
	} else {
		k.discovery(ctx)
		k.offers()
		k.client(ctx)
	}
	k.eID()
	k.callback(ctx, phones)
	k.add("test login", CheckNotRun, "begin a login at a kiosk of this broker with a test card or a test user; in the sandbox, test cards come from the broker's support",
		"a person has to do it")
	return k.checks
}

// account names the steps that only the customer sees.
func (k *checker) account() {
	c := k.config
	k.add("account and organisation", CheckUnknown, "ask the broker whether the contract is signed and the organisation is approved", "a broker shows this only to its customer")
	k.add("environment", CheckUnknown, "compare the issuer with the one of the "+string(c.Environment)+" account in the broker's portal",
		"%s, by the configuration; the address is %s", c.Environment, cmp.Or(c.Issuer, c.API))
}

func (k *checker) discovery(ctx context.Context) {
	address := strings.TrimSuffix(k.config.Issuer, "/") + "/.well-known/openid-configuration"
	p, err := k.discover(ctx)
	if err != nil {
		k.add("domain", CheckFailed, "compare issuer with the domain in the broker's portal; ask the broker whether the domain is active", "%s: %v", address, err)
		return
	}
	k.provider = p
	k.add("domain", CheckOK, "", "%s can be read", address)
	k.keys(ctx)
	k.clock(ctx, address)
}

func (k *checker) keys(ctx context.Context) {
	var set jose.JSONWebKeySet
	err := k.getJSON(ctx, k.provider.metadata.JWKS, &set)
	switch {
	case err != nil:
		k.add("broker's keys", CheckFailed, "ask the broker: without its keys no answer can be checked", "%s: %v", k.provider.metadata.JWKS, err)
	case len(set.Keys) == 0:
		k.add("broker's keys", CheckFailed, "ask the broker: without its keys no answer can be checked", "%s holds no key", k.provider.metadata.JWKS)
	default:
		k.add("broker's keys", CheckOK, "", "%s holds %d keys", k.provider.metadata.JWKS, len(set.Keys))
	}
}

// clock compares the hub's clock with the broker's, by the Date of an answer.
func (k *checker) clock(ctx context.Context, address string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return
	}
	resp, err := k.http.Do(req)
	if err != nil {
		k.add("clock", CheckUnknown, "run the check again", "%v", asRefusal(err, err))
		return
	}
	defer resp.Body.Close()
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		k.add("clock", CheckUnknown, "compare the hub's clock with another one", "the broker's answer has no Date")
		return
	}
	skew := k.now().Sub(at).Round(time.Second)
	if skew.Abs() > maxClockSkew {
		k.add("clock", CheckFailed, "set the hub's clock (timedatectl); the broker refuses what was signed at another time", "the hub's clock differs by %s from the broker's", skew)
		return
	}
	k.add("clock", CheckOK, "", "the hub's clock differs by %s from the broker's", skew)
}

// offers compares the configuration with what the broker says that it offers.
func (k *checker) offers() {
	const name = "what the broker offers"
	if k.provider == nil {
		k.add(name, CheckNotRun, "", "the discovery document cannot be read")
		return
	}
	m, c := k.provider.metadata, k.config
	var missing []string
	if len(m.ClientAuth) > 0 && !slices.Contains(m.ClientAuth, string(c.ClientAuth)) {
		missing = append(missing, "client_auth "+string(c.ClientAuth))
	}
	for _, s := range c.Scopes {
		if len(m.Scopes) > 0 && !slices.Contains(m.Scopes, s) {
			missing = append(missing, "scope "+s)
		}
	}
	if m.RequireSigned && c.KeysFile == "" && c.PKCS11 == nil {
		missing = append(missing, "a request without a signature (set keys)")
	}
	if len(missing) > 0 {
		k.add(name, CheckFailed, "correct the configuration, or ask the broker to enable it for this client", "the broker does not offer %s", strings.Join(missing, ", "))
		return
	}
	k.add(name, CheckOK, "", "client_auth %s and the scopes %s", c.ClientAuth, strings.Join(c.Scopes, " "))
}

// client pushes an authorization request, which shows whether the broker knows the client,
// its key and its redirect URL. No browser follows.
func (k *checker) client(ctx context.Context) {
	const name = "client, keys and permissions"
	switch {
	case k.provider == nil:
		k.add(name, CheckNotRun, "", "the discovery document cannot be read")
	case k.provider.metadata.PAR == "":
		k.add(name, CheckUnknown, "check in the broker's portal: client_id, the registered key, redirect URL, scopes", "the broker takes no pushed requests, so only a login shows it")
	default:
		_, _, err := k.Begin(ctx, "en")
		if err == nil {
			k.add(name, CheckOK, "", "the broker accepts a pushed request of %s with redirect URL %s", k.config.ClientID, k.config.RedirectURL)
			break
		}
		k.add(name, CheckFailed, clientAdvice(err, k.config), "the broker refuses a pushed request: %v", err)
	}
}

// api creates a session and cancels it, which shows whether the API knows the client and its
// permissions.
func (k *checker) api(ctx context.Context) {
	const name = "API client and permissions"
	f, _, err := k.Begin(ctx, "en")
	if err != nil {
		k.add(name, CheckFailed, "in the broker's portal: add an API client for this account with the permission for authentication sessions, and compare client_id and secret",
			"%s refuses a session: %v", k.config.API, err)
		return
	}
	if err := k.Cancel(ctx, f); err != nil {
		k.add(name, CheckFailed, "ask the broker", "%s creates a session, but does not cancel it: %v", k.config.API, err)
		return
	}
	k.add(name, CheckOK, "", "%s creates a session and cancels it", k.config.API)
}

// eID names what only the broker's staff can enable.
func (k *checker) eID() {
	k.add("eID", CheckUnknown, "the broker's onboarding manager must enable the eID for this client, and hand out test cards or test users", "the broker does not list the eIDs of a client")
	k.merchant()
}

// merchant checks the dates of the merchant certificate. That the broker accepts it, the
// requests of the other checks show.
func (k *checker) merchant() {
	const name = "merchant certificate"
	m := k.Merchant()
	if m == nil {
		k.add(name, CheckUnknown, "the broker's support issues it for the sandbox and for production; only a broker that asks for one needs it", "this client uses none (certificate)")
		return
	}
	const order = "order the next one from the broker's support, and replace the two files; no restart is needed"
	found := fmt.Sprintf("%s, issued by %s, until %s", k.config.CertificateFile, m.Issuer.CommonName, m.NotAfter.Format(time.DateOnly))
	switch now := k.now(); {
	case now.Before(m.NotBefore):
		k.add(name, CheckFailed, "set the hub's clock, or wait", "%s is valid only from %s", k.config.CertificateFile, m.NotBefore.Format(time.DateOnly))
	case now.After(m.NotAfter.Add(-EndingSoon)):
		k.add(name, CheckFailed, order, "%s", found)
	case now.After(m.NotAfter.Add(-CertificateNotice)):
		k.add(name, CheckOK, order, "%s", found)
	default:
		k.add(name, CheckOK, "", "%s", found)
	}
}

func clientAdvice(err error, c Config) string {
	switch text := err.Error(); {
	case strings.Contains(text, "invalid_client"):
		if c.ClientAuth == PrivateKeyJWT {
			return "register the public key at the broker (kioskhub broker keys " + c.Name + " prints it), and compare client_id"
		}
		return "compare client_id and the secret with the broker's portal"
	case strings.Contains(text, "redirect"):
		return "register " + c.RedirectURL + " as redirect URL at the broker"
	case strings.Contains(text, "invalid_scope"):
		return "ask the broker to allow the scopes " + strings.Join(c.Scopes, " ")
	case strings.Contains(text, string(kiosk.BrokerDown)):
		return "try again later, or ask the broker"
	}
	return "compare client_id, key, redirect URL and scopes with the broker's portal"
}

// callback checks that phones reach the hub's pages at the redirect URL.
func (k *checker) callback(ctx context.Context, phones http.RoundTripper) {
	const name = "redirect URL"
	const advice = "phones and the broker must reach the hub there: check DNS, firewall, public.listen, and that kioskhub serve runs"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.config.RedirectURL, nil)
	if err != nil {
		k.add(name, CheckFailed, advice, "%v", err)
		return
	}
	resp, err := phones.RoundTrip(req)
	if err != nil {
		k.add(name, CheckFailed, advice, "%s: %v", k.config.RedirectURL, err)
		return
	}
	defer resp.Body.Close()
	// The pages refuse a callback that belongs to no login.
	if resp.StatusCode != http.StatusForbidden {
		k.add(name, CheckFailed, advice, "%s answered %s, which is not how the hub's pages answer", k.config.RedirectURL, resp.Status)
		return
	}
	found := k.config.RedirectURL + " is served by the hub"
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		until := resp.TLS.PeerCertificates[0].NotAfter
		found += ", with a certificate until " + until.Format(time.DateOnly)
		if until.Before(k.now().Add(EndingSoon)) {
			k.add(name, CheckFailed, "renew the certificate of public.certificate", "%s", found)
			return
		}
	}
	k.add(name, CheckOK, "", "%s", found)
}

// CertificateNotice is how long before its end the hub raises an alarm about a certificate. A
// public CA, and a broker's support, may need weeks.
const CertificateNotice = 60 * 24 * time.Hour

// EndingSoon is how long before its end a certificate counts as ending.
const EndingSoon = 14 * 24 * time.Hour

func (k *checker) getJSON(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := k.http.Do(req)
	if err != nil {
		return asRefusal(err, err)
	}
	defer resp.Body.Close()
	return decodeAnswer(resp.Body, into)
}
