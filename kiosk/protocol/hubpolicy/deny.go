package hubpolicy

import (
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// DenyRule is a deny rule of the hub's operator, which a kiosk applies to its own
// verdicts too. The hub puts only those rules into a policy that apply at its kiosk, so
// a rule here names no kiosks.
type DenyRule struct {
	Name     string   `json:"name"`
	Subjects []string `json:"subjects,omitempty"` // Denied of each holder; empty means everybody
	Domains  []string `json:"domains,omitempty"`  // trust domains; empty means all
	Calendar
}

// MaxDenySubjects is how many holders the deny rules of one policy may name together.
const MaxDenySubjects = 10_000

// Denied returns what stands for a holder in the deny rules of one kiosk, whatever the
// trust domain. It is hexadecimal.
func (k HolderKeys) Denied(h HolderHash) string { return hex.EncodeToString(k.Pseudonym(h)[:16]) }

// DenyHolders reports whether a rule names holders, so that Denies needs their hash.
func DenyHolders(rules []DenyRule) bool {
	return slices.ContainsFunc(rules, func(r DenyRule) bool { return r.Subjects != nil })
}

// Denies returns the deny rule that applies at a time to a holder of a trust domain, or
// nil. denied is what HolderKeys.Denied returns for the holder.
func Denies(rules []DenyRule, denied, domain string, at time.Time) *DenyRule {
	for i, r := range rules {
		if (r.Subjects == nil || slices.Contains(r.Subjects, denied)) &&
			(r.Domains == nil || slices.Contains(r.Domains, domain)) &&
			r.Valid(at) && r.InHours(at) {
			return &rules[i]
		}
	}
	return nil
}

// checkDeny checks the deny rules of a policy and prepares them. A rule whose time zone
// the kiosk does not know stays in the policy and applies at all hours.
func checkDeny(rules []DenyRule) error {
	subjects := 0
	for i, r := range rules {
		subjects += len(r.Subjects)
		for _, s := range r.Hours {
			if s.From < 0 || s.From >= 24*60 || s.To < 0 || s.To > 24*60 {
				return fmt.Errorf("deny rule %q: a time of day is out of range", r.Name)
			}
		}
		_ = rules[i].Prepare()
	}
	if subjects > MaxDenySubjects {
		return fmt.Errorf("the deny rules name %d holders, more than %d", subjects, MaxDenySubjects)
	}
	return nil
}

// Warning says in which way a kiosk's offline rules let in more than the hub would.
type Warning string

// The warnings of a policy.
const (
	WarnDefaultDeny Warning = "default-deny" // the hub denies by default, but "trusted" lets in every valid card
	WarnDenyRule    Warning = "deny-rule"    // a deny rule did not fit into the policy
	WarnWebhook     Warning = "webhook"      // the hub asks the operator's own system, which the kiosk cannot
)
