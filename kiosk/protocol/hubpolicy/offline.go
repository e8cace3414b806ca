// Package offline decides while the hub cannot be reached: whom the rules that
// the hub left behind let in, and how often.
package hubpolicy

import (
	"fmt"
	"slices"
	"time"
)

// Rule says who may be let in.
type OfflineRule string

const (
	Never   OfflineRule = "never"   // nobody
	Known   OfflineRule = "known"   // whom the hub has let in lately
	Trusted OfflineRule = "trusted" // whoever has a valid certificate
)

// OfflineRules are what a kiosk may decide alone. Whatever the rule, a certificate must
// be valid, and its CRL at hand and of use: who was revoked is never let in,
// nor is anybody of whom that is not known.
type OfflineRules struct {
	Rule OfflineRule `json:"rule" toml:"rule"`

	// KnownDays is how long ago, with Known, the hub may have let a holder in.
	KnownDays int `json:"known_days,omitempty" toml:"known_days"`
	// CRLMaxAge is how long ago, with Trusted, the thisUpdate of the CRL may be;
	// 0 leaves it to the trust domain.
	CRLMaxAge Duration `json:"crl_max_age,omitempty" toml:"crl_max_age"`

	// How many may be let in without the hub before it is heard again, of one
	// holder and of all; 0 for any number.
	PerHolder int `json:"per_holder,omitempty" toml:"per_holder"`
	PerKiosk  int `json:"per_kiosk,omitempty" toml:"per_kiosk"`

	// UntrustedClock says what to do while the clock is behind a time already
	// seen.
	UntrustedClock Answer `json:"untrusted_clock" toml:"untrusted_clock"`
}

// Answer is allow or deny.
type Answer string

const (
	Allow Answer = "allow"
	Deny  Answer = "deny"
)

// Check tells by an error what is wrong with r.
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

// UnmarshalText reads the form of time.ParseDuration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// MarshalText is the inverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }
