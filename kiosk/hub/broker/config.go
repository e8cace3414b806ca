package broker

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// Environment says whether a broker's logins prove anything.
type Environment string

const (
	Sandbox    Environment = "sandbox" // anybody can log in as anybody
	Production Environment = "production"
)

// ClientAuth is how the hub proves itself to a broker (OpenID Connect Core §9).
type ClientAuth string

const (
	PrivateKeyJWT ClientAuth = "private_key_jwt"
	SecretBasic   ClientAuth = "client_secret_basic"
	SecretPost    ClientAuth = "client_secret_post"
)

// SubjectForm is how the claim of the identifier becomes a holder's identifier.
type SubjectForm string

const (
	// FormBuypass is a Buypass number. The holder has the same identifier as with a card.
	FormBuypass SubjectForm = "buypass"
	// FormPlain is any other identifier. The holder's identifier begins with the domain.
	FormPlain SubjectForm = "plain"
)

// Config is the set-up of one broker in one environment: a table of brokers.toml. Paths
// are relative to that file.
type Config struct {
	Name        string      `toml:"-"`
	Environment Environment `toml:"environment"`
	Preset      string      `toml:"preset"`
	Issuer      string      `toml:"issuer"` // https URL, as in the broker's discovery document
	ClientID    string      `toml:"client_id"`
	RedirectURL string      `toml:"-"` // of this hub, for callbacks

	ClientAuth ClientAuth `toml:"client_auth"`
	KeysFile   string     `toml:"keys"`   // private JWK set
	SecretFile string     `toml:"secret"` // client secret
	PKCS11     *PKCS11    `toml:"pkcs11"` // signing keys in a token; nil for none

	CertificateFile    string `toml:"certificate"`     // merchant certificate and its chain, PEM: the hub's client certificate for TLS; "" for none
	CertificateKeyFile string `toml:"certificate_key"` // its private key, PEM

	Scopes    []string `toml:"scopes"`
	ACRValues []string `toml:"acr_values"` // to ask for
	AMRValues []string `toml:"amr_values"` // to ask for; the preset has the parameter's name
	Hint      string   `toml:"hint"`       // which eID the broker should offer; the preset has the parameter's name
	AcceptACR []string `toml:"accept_acr"` // acr of an answer; by default ACRValues
	AcceptAMR []string `toml:"accept_amr"` // an answer must have one of them; by default AMRValues

	RequestObject bool `toml:"request_object"` // sign the request; always if the broker requires it
	Encrypted     bool `toml:"encrypted"`      // refuse an ID token or UserInfo that is not encrypted
	UserInfo      bool `toml:"userinfo"`       // read claims there, too

	API        string   `toml:"api"`        // of a REST API, in place of the preset's
	Providers  []string `toml:"providers"`  // of a REST API: the eIDs that are allowed
	Attributes []string `toml:"attributes"` // of a REST API: to ask for
	LOA        string   `toml:"loa"`        // of a REST API: the lowest level: low, substantial or high

	Domain           string      `toml:"domain"` // of the holders, as in rules.toml; by default the broker's name
	SubjectClaim     string      `toml:"subject_claim"`
	SubjectForm      SubjectForm `toml:"subject_form"`
	CertificateClaim string      `toml:"certificate_claim"`

	preset preset
}

// personalNumber are the scopes and claims in which brokers offer the national identity
// number. They are never asked for and never read.
var personalNumber = []string{"nin", "bpnnin", "bp_nnin_sub", "ssn", "no_ssn", "nnin", "nationalid", "national_id", "fnr", "personnummer"}

func isPersonalNumber(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(personalNumber, func(p string) bool {
		return name == p || strings.HasPrefix(name, p+".") || strings.HasSuffix(name, "-"+p) || strings.HasSuffix(name, ":"+p)
	})
}

// complete adds the preset's values and checks the configuration.
func (c *Config) complete() (err error) {
	if c.preset, err = presetOf(c.Preset); err != nil {
		return err
	}
	p := c.preset
	if len(c.Scopes) == 0 {
		c.Scopes = p.Scopes
	}
	c.ClientAuth = cmp.Or(c.ClientAuth, p.ClientAuth[0])
	c.SubjectClaim = cmp.Or(c.SubjectClaim, p.SubjectClaim)
	c.SubjectForm = cmp.Or(c.SubjectForm, p.SubjectForm, FormPlain)
	c.CertificateClaim = cmp.Or(c.CertificateClaim, p.CertificateClaim)
	c.API = cmp.Or(c.API, p.API)
	c.Domain = cmp.Or(c.Domain, c.Name)
	c.UserInfo = c.UserInfo || p.UserInfo
	if len(c.AcceptACR) == 0 && !p.ACRNamesProvider {
		c.AcceptACR = c.ACRValues
	}
	if len(c.AcceptAMR) == 0 {
		c.AcceptAMR = c.AMRValues
	}
	return c.check()
}

func (c *Config) check() error {
	switch {
	case c.Environment != Sandbox && c.Environment != Production:
		return fmt.Errorf("environment = %q: write \"sandbox\" or \"production\"", c.Environment)
	case c.ClientID == "":
		return errors.New("client_id is missing: the broker gives it to you when you add a client")
	case !slices.Contains(c.preset.ClientAuth, c.ClientAuth):
		return fmt.Errorf("client_auth = %q: with preset %q write one of %v", c.ClientAuth, c.Preset, c.preset.ClientAuth)
	case c.ClientAuth == PrivateKeyJWT && c.KeysFile == "" && c.PKCS11 == nil:
		return errors.New("keys is missing: it names the file with the key that proves the hub to the broker; or write a pkcs11 table")
	case c.ClientAuth != PrivateKeyJWT && c.SecretFile == "":
		return errors.New("secret is missing: it names the file with the client secret")
	case c.ClientAuth == PrivateKeyJWT && c.SecretFile != "":
		return errors.New("secret and client_auth = \"private_key_jwt\" exclude each other")
	case c.RequestObject && c.KeysFile == "" && c.PKCS11 == nil, c.Encrypted && c.KeysFile == "":
		return errors.New("keys is missing: request_object and encrypted need keys")
	case (c.CertificateFile == "") != (c.CertificateKeyFile == ""):
		return errors.New("certificate and certificate_key belong together: one of them is missing")
	case len(c.AMRValues) > 0 && c.preset.AMRParameter == "":
		return fmt.Errorf("amr_values: preset %q has no parameter for them; use accept_amr", c.Preset)
	case c.Hint != "" && c.preset.HintParameter == "":
		return fmt.Errorf("hint: preset %q has no parameter for it", c.Preset)
	case c.LOA != "" && !slices.Contains(levels, c.LOA):
		return fmt.Errorf("loa = %q: write one of %v", c.LOA, levels)
	case c.preset.REST && (c.Encrypted || c.RequestObject || c.UserInfo || len(c.ACRValues)+len(c.AcceptACR)+len(c.AMRValues)+len(c.AcceptAMR) > 0):
		return fmt.Errorf("preset %q has no encrypted, request_object, userinfo, acr and amr settings", c.Preset)
	case !c.preset.REST && (c.LOA != "" || c.API != "" || len(c.Providers)+len(c.Attributes) > 0):
		return fmt.Errorf("api, providers, attributes and loa are for preset \"signicat-rest\"")
	case !c.preset.REST && !slices.Contains(c.Scopes, "openid"):
		return errors.New("scopes lacks \"openid\"")
	case c.SubjectClaim == "" && c.CertificateClaim == "":
		return errors.New("subject_claim is missing: it names the claim with the person's lasting identifier")
	case c.SubjectClaim == "bp_sub" || c.SubjectClaim == "sub" && c.Preset != "generic":
		return fmt.Errorf("subject_claim = %q may change for the same person: use a lasting identifier", c.SubjectClaim)
	case c.SubjectForm != FormBuypass && c.SubjectForm != FormPlain:
		return fmt.Errorf("subject_form = %q: write \"buypass\" or \"plain\"", c.SubjectForm)
	}
	if c.PKCS11 != nil {
		if err := c.PKCS11.check(); err != nil {
			return err
		}
	}
	for _, s := range append(append(slices.Clone(c.Scopes), c.Attributes...), c.SubjectClaim, c.CertificateClaim) {
		if isPersonalNumber(s) {
			return fmt.Errorf("%q asks for the national identity number, which this program never does", s)
		}
	}
	if c.preset.REST {
		return c.checkAddress("api", c.API)
	}
	return c.checkAddress("issuer", c.Issuer)
}

// checkAddress requires https. http is accepted for a sandbox on this machine.
func (c *Config) checkAddress(what, s string) error {
	u, err := url.Parse(s)
	if err == nil && u.Host != "" && u.User == nil && u.Fragment == "" {
		local := c.Environment == Sandbox && net.ParseIP(u.Hostname()).IsLoopback()
		if u.Scheme == "https" || u.Scheme == "http" && local {
			return nil
		}
	}
	return fmt.Errorf("%s = %q is not an https URL", what, s)
}

// readCredentials reads the files that the configuration names.
func (c *Config) readCredentials(dir string) (*Credentials, error) {
	in := func(name string) string {
		if filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(dir, name)
	}
	out := &Credentials{}
	if c.PKCS11 != nil {
		if err := out.readToken(*c.PKCS11, in(c.PKCS11.PIN)); err != nil {
			return nil, fmt.Errorf("pkcs11: %w", err)
		}
	}
	if c.KeysFile != "" {
		if err := out.readKeys(in(c.KeysFile)); err != nil {
			return nil, fmt.Errorf("keys: %w", err)
		}
	}
	if c.SecretFile != "" {
		if err := out.readSecret(in(c.SecretFile)); err != nil {
			return nil, fmt.Errorf("secret: %w", err)
		}
	}
	if c.CertificateFile != "" {
		if err := out.readMerchant(in(c.CertificateFile), in(c.CertificateKeyFile)); err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
	}
	switch {
	case (c.ClientAuth == PrivateKeyJWT || c.RequestObject) && len(out.signing) == 0:
		return nil, fmt.Errorf("keys: %s has no key that signs", c.KeysFile) // a token without one is an error of its own
	case c.Encrypted && len(out.opening) == 0:
		return nil, fmt.Errorf("keys: %s has no key with \"use\": \"enc\"", c.KeysFile)
	}
	return out, out.marshalPublic()
}
