package hubpolicy

import (
	"fmt"
	"slices"
	"time"
)

// OfflineRule says whom a kiosk may let in offline.
type OfflineRule string

const (
	Never   OfflineRule = "never"   // no holder
	Known   OfflineRule = "known"   // holders whom the hub has recently let in
	Trusted OfflineRule = "trusted" // every holder with a valid certificate
)

// OfflineRules say what a kiosk may decide while it cannot reach the hub. With every rule
// the certificate must be valid and the kiosk must have a current CRL. A holder whose
// certificate is revoked, or of unknown status, is never let in.
type OfflineRules struct {
	Rule OfflineRule `json:"rule" toml:"rule"`

	// KnownDays is, with Known, how many days ago the hub may last have let a holder in.
	KnownDays int `json:"known_days,omitempty" toml:"known_days"`
	// CRLMaxAge is, with Trusted, the maximum age of the CRL, counted from its thisUpdate;
	// 0 means that the trust domain decides.
	CRLMaxAge Duration `json:"crl_max_age,omitempty" toml:"crl_max_age"`

	// PerHolder is how often the kiosk may let in one holder in a day (UTC), and PerKiosk
	// how often it may let in all holders together, until it reaches the hub again; 0
	// means without limit. The kiosk stores nothing about a holder for longer than a day.
	PerHolder int `json:"per_holder,omitempty" toml:"per_holder"`
	PerKiosk  int `json:"per_kiosk,omitempty" toml:"per_kiosk"`

	// UntrustedClock says what the kiosk does while its clock is behind a time that it has
	// already seen.
	UntrustedClock Answer `json:"untrusted_clock" toml:"untrusted_clock"`
}

// Answer is Allow or Deny.
type Answer string

const (
	Allow Answer = "allow"
	Deny  Answer = "deny"
)

// Check returns an error that says what is wrong with r.
func (r OfflineRules) Check() error {
	rules := []OfflineRule{Never, Known, Trusted}
	switch {
	case !slices.Contains(rules, r.Rule):
		return fmt.Errorf("rule is %q, not one of %q", r.Rule, rules)
	case r.Rule == Known && r.KnownDays < 1:
		return fmt.Errorf("known_days is %d: rule %q needs to know how long ago a holder may have been let in", r.KnownDays, Known)
	case r.Rule != Known && r.KnownDays != 0:
		return fmt.Errorf("known_days is for rule %q alone", Known)
	case r.Rule != Trusted && r.CRLMaxAge != 0:
		return fmt.Errorf("crl_max_age is for rule %q alone", Trusted)
	case r.CRLMaxAge < 0 || r.PerHolder < 0 || r.PerKiosk < 0:
		return fmt.Errorf("crl_max_age, per_holder and per_kiosk are not negative")
	case r.UntrustedClock != Allow && r.UntrustedClock != Deny:
		return fmt.Errorf("untrusted_clock is %q, neither %q nor %q", r.UntrustedClock, Allow, Deny)
	}
	return nil
}

// Duration is a time.Duration that reads like "90s" or "24h".
type Duration time.Duration

// UnmarshalText reads the format of time.ParseDuration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// MarshalText is the inverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }
