// Package rules decides who is let in, of those whose card is in order: by a
// file of rules that the operator of a hub writes, and by the operator's own
// system where the file names one. It reads no clock; only Open and File read
// files, and only Webhook.Ask uses the network.
//
// # The file
//
//	default = "deny"                  # or "allow": what holds where no rule speaks
//	timezone = "Europe/Oslo"          # of days, hours and dates below
//
//	[groups]                          # of kiosks
//	workshop = ["k1", "k2"]
//
//	[[rule]]
//	name = "day-shift"                # lower-case letters, digits and hyphens
//	action = "allow"                  # or "deny"
//	subjects = ["UN:NO-9578-4050-900000001", "local:4711"]
//	domains = ["buypass"]             # trust domains
//	kiosks = ["k7"]                   # these,
//	groups = ["workshop"]             # and those of these groups
//	weekdays = ["mon-fri"]            # "mon" to "sun", or from one to another
//	hours = ["07:00-17:00"]           # "22:00-06:00" belongs to the day it begins on
//	from = 2026-01-01                 # a date, or a time like 2026-01-01T07:00:00
//	until = 2026-12-31                # a date includes that day, a time does not include itself
//
//	[webhook]                         # asked last, of those whom the rules let in
//	url = "https://door.example/admission"
//	secret_file = "webhook.secret"    # whsec_ and 24 to 64 bytes as base64
//	timeout = "1s"
//	on_failure = "deny"               # or "allow"
//
// A rule speaks of a visit that meets everything it says; of a list, one part
// has to be met. A rule that turns away goes before all that let in, whatever
// their order. What a file says that is unknown, empty, contradictory or
// without effect is an error.
package rules

import (
	"slices"
	"time"

	"smartkiosk/kiosk"
)

// Rules are the rules of one file. They do not change, and many may use them
// at once.
type Rules struct {
	Version string   // tells files apart: the begin of the SHA-256 of the text, hexadecimal
	Webhook *Webhook // the operator's own system; nil if nobody is to be asked

	allowByDefault bool
	zone           *time.Location // nil if no rule needs one
	rules          []rule
	groups         map[string][]string
}

// Len gives the number of rules.
func (r *Rules) Len() int { return len(r.rules) }

// rule is one [[rule]].
type rule struct {
	entry
	allow    bool
	subjects set
	domains  set
	kiosks   set // groups' kiosks too
	calendar
}

// set is what a rule asks one thing of a visit to be in; nil asks nothing.
type set map[string]bool

func (s set) has(v string) bool { return s == nil || s[v] }

// Case is a person at a kiosk, to be let in or not.
type Case struct {
	Subject string // kiosk.Holder.ID
	Domain  string // kiosk.Holder.Domain
	Kiosk   string
	At      time.Time
}

// Decision is what rules say of a case.
type Decision struct {
	Allowed bool
	Reason  kiosk.Reason // why not: kiosk.RuleDenied, kiosk.OutsideHours or kiosk.NotAllowed
	Rule    string       // the name of the rule that decided; "" if none did
}

// Decide tells what the rules say of a case. The webhook is not asked.
func (r *Rules) Decide(c Case) Decision {
	d := Decision{Reason: kiosk.NotAllowed}
	if r.allowByDefault {
		d = Decision{Allowed: true}
	}
	for _, rule := range r.rules {
		if !rule.subjects.has(c.Subject) || !rule.domains.has(c.Domain) || !rule.kiosks.has(c.Kiosk) || !rule.valid(c.At) {
			continue
		}
		switch inHours := rule.inHours(c.At); {
		case inHours && !rule.allow:
			return Decision{Reason: kiosk.RuleDenied, Rule: rule.Name}
		case inHours && d.Rule == "":
			d = Decision{Allowed: true, Rule: rule.Name}
		case !inHours && rule.allow && !d.Allowed:
			d.Reason = kiosk.OutsideHours
		}
	}
	return d
}

// kiosksOf gives the kiosks that e is about, nil for any.
func (e entry) kiosksOf(groups map[string][]string) set {
	if e.Kiosks == nil && e.Groups == nil {
		return nil
	}
	names := slices.Clone(e.Kiosks)
	for _, g := range e.Groups {
		names = append(names, groups[g]...)
	}
	return setOf(names)
}

func setOf(names []string) set {
	if names == nil {
		return nil
	}
	s := set{}
	for _, n := range names {
		s[n] = true
	}
	return s
}
