// Package rules decides which holders of a valid card are let in. The operator of a hub
// writes the rules into a file. The file may also name a webhook, the operator's own
// system, which decides last. The package reads no clock. Only Open and File read files,
// and only Webhook.Ask uses the network.
//
// # The file
//
//	default = "deny"                  # or "allow": the decision if no rule applies
//	timezone = "Europe/Oslo"          # for weekdays, hours and dates
//
//	[groups]                          # of kiosks
//	workshop = ["k1", "k2"]
//
//	[[rule]]
//	name = "day-shift"                # lower-case letters, digits and hyphens
//	action = "allow"                  # or "deny"
//	subjects = ["UN:NO-9578-4050-900000001", "local:4711"]
//	domains = ["buypass"]             # trust domains
//	kiosks = ["k7"]                   # these kiosks
//	groups = ["workshop"]             # and the kiosks of these groups
//	weekdays = ["mon-fri"]            # single days or ranges of days
//	hours = ["07:00-17:00"]           # "22:00-06:00" belongs to the day on which it begins
//	from = 2026-01-01                 # a date, or a time like 2026-01-01T07:00:00
//	until = 2026-12-31                # a date includes that day; a time is exclusive
//
//	[webhook]                         # called only for holders whom the rules let in
//	url = "https://door.example/admission"
//	secret_file = "webhook.secret"    # whsec_ and 24 to 64 bytes as base64
//	timeout = "1s"
//	on_failure = "deny"               # or "allow"
//
//	[[services]]                      # what holders can do apart from the login
//	groups = ["workshop"]             # and kiosks; without both: all other kiosks
//	change_pin = true                 # after a login
//	unblock_pin = true                # with the PUK, when a PIN is blocked
//	documents = true                  # signs documents that wait at the hub, after a login
//
//	[[services.choice]]               # after a login the holder chooses one of these
//	code = "delivery"                 # in the event smartkiosk.service.v1
//	texts = { nb = "Levering", en = "Delivery" } # at most 14 letters; nb replaces what is missing
//
// A rule applies to a visit that meets all of its conditions; a list is met if one of its
// elements is. A deny rule wins over every allow rule, whatever their order. Anything in a
// file that is unknown, empty, contradictory or without effect is an error.
package rules

import (
	"slices"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// Rules are the rules of one file. They never change, so they are safe for concurrent use.
type Rules struct {
	Version string   // the first bytes of the SHA-256 of the file, hexadecimal
	Webhook *Webhook // the operator's own system; nil if the file names none

	allowByDefault bool
	zone           *time.Location // nil if no rule needs one
	rules          []rule
	groups         map[string][]string
	services       []services
}

// Len returns the number of rules.
func (r *Rules) Len() int { return len(r.rules) }

// rule is one [[rule]].
type rule struct {
	entry
	allow    bool
	subjects set
	domains  set
	kiosks   set // including the kiosks of groups
	hubpolicy.Calendar
}

// set is one condition of a rule: the values that meet it. Every value meets nil.
type set map[string]bool

func (s set) has(v string) bool { return s == nil || s[v] }

// Case is the input of a decision: a holder at a kiosk.
type Case struct {
	Subject string // kiosk.Holder.ID
	Domain  string // kiosk.Holder.Domain
	Kiosk   string
	At      time.Time
}

// Decision is the result of the rules for a case.
type Decision struct {
	Allowed bool
	Reason  kiosk.Reason // why the holder is denied: kiosk.RuleDenied, kiosk.OutsideHours or kiosk.NotAllowed
	Rule    string       // the name of the rule that decided; "" if no rule applied
}

// Decide applies the rules to a case. It does not call the webhook.
func (r *Rules) Decide(c Case) Decision {
	d := Decision{Reason: kiosk.NotAllowed}
	if r.allowByDefault {
		d = Decision{Allowed: true}
	}
	for _, rule := range r.rules {
		if !rule.subjects.has(c.Subject) || !rule.domains.has(c.Domain) || !rule.kiosks.has(c.Kiosk) || !rule.Valid(c.At) {
			continue
		}
		switch inHours := rule.InHours(c.At); {
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

// kiosksOf returns the kiosks to which e applies; nil means all.
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
