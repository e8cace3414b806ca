package rules

import (
	"fmt"
	"time"

	"smartkiosk/kiosk/protocol/hubpolicy"
)

// DenyAt returns the deny rules that apply at a kiosk, in the form that travels in its
// policy, with a pseudonym for each subject. missing are the names of those that do not
// fit, because the rules before them name too many holders.
func (r *Rules) DenyAt(kiosk string, pseudonym func(subject string) string) (deny []hubpolicy.DenyRule, missing []string) {
	subjects := 0
	for _, rule := range r.rules {
		if rule.allow || !rule.kiosks.has(kiosk) {
			continue
		}
		if subjects+len(rule.Subjects) > hubpolicy.MaxDenySubjects {
			missing = append(missing, rule.Name)
			continue
		}
		subjects += len(rule.Subjects)
		travels := hubpolicy.DenyRule{Name: rule.Name, Domains: rule.Domains, Calendar: rule.Calendar}
		for _, s := range rule.Subjects {
			travels.Subjects = append(travels.Subjects, pseudonym(s))
		}
		deny = append(deny, travels)
	}
	return deny, missing
}

// DeniedSubjects returns the identifiers of all holders whom deny rules name.
func (r *Rules) DeniedSubjects() (subjects []string) {
	for _, rule := range r.rules {
		if !rule.allow {
			subjects = append(subjects, rule.Subjects...)
		}
	}
	return subjects
}

// missingOffline returns the names of the deny rules that do not fit into the policy of
// some kiosk.
func (r *Rules) missingOffline() (names []string) {
	subjects := 0
	for _, rule := range r.rules {
		if rule.allow {
			continue
		}
		if subjects += len(rule.Subjects); subjects > hubpolicy.MaxDenySubjects {
			names = append(names, rule.Name)
		}
	}
	return names
}

// OfflineWarnings says in which ways kiosks with an offline rule let in more holders than
// the hub does with these rules.
func (r *Rules) OfflineWarnings(offline hubpolicy.OfflineRule) (codes []hubpolicy.Warning, sentences []string) {
	add := func(code hubpolicy.Warning, format string, values ...any) {
		codes = append(codes, code)
		sentences = append(sentences, fmt.Sprintf(format, values...))
	}
	if offline == hubpolicy.Never {
		return nil, nil
	}
	if offline == hubpolicy.Trusted && !r.allowByDefault {
		add(hubpolicy.WarnDefaultDeny, `the offline rule is "trusted" and the default is "deny": offline, a kiosk lets in every holder of a valid card whom no deny rule names`)
	}
	if missing := r.missingOffline(); missing != nil {
		add(hubpolicy.WarnDenyRule, "deny rules %q do not apply offline: together the deny rules name more than %d holders", missing, hubpolicy.MaxDenySubjects)
	}
	if offline == hubpolicy.Trusted && r.Webhook != nil {
		add(hubpolicy.WarnWebhook, `the offline rule is "trusted" and there is a webhook: offline, a kiosk lets in holders without asking %s`, r.Webhook.URL)
	}
	return codes, sentences
}

// OfflineWords describes in sentences, one per line, what a kiosk does with these rules
// while it cannot reach the hub.
func (r *Rules) OfflineWords(o hubpolicy.OfflineRules) []string {
	lines := []string{fmt.Sprintf("Offline (rule %q in hub.toml), a kiosk that cannot reach the hub decides by itself:", o.Rule)}
	if o.Rule == hubpolicy.Never {
		return append(lines, "- It lets no one in.")
	}
	missing := map[string]bool{}
	for _, name := range r.missingOffline() {
		missing[name] = true
	}
	for _, rule := range r.rules {
		switch {
		case !rule.allow && missing[rule.Name]:
			lines = append(lines, fmt.Sprintf("- Deny rule %q does not apply.", rule.Name))
		case !rule.allow:
			lines = append(lines, "- "+rule.words())
		}
	}
	if o.Rule == hubpolicy.Known {
		lines = append(lines, fmt.Sprintf("- Otherwise it lets in holders of a valid card whom the hub has let in there, or at a kiosk of the same group, within the last %d days.", o.KnownDays))
	} else {
		lines = append(lines, "- Otherwise it lets in every holder of a valid card.")
		if o.CRLMaxAge > 0 {
			lines = append(lines, fmt.Sprintf("- The CRL must not be older than %s.", time.Duration(o.CRLMaxAge)))
		}
	}
	for _, rule := range r.rules {
		if rule.allow {
			lines = append(lines, "- Allow rules and the default are not applied.")
			break
		}
	}
	if r.Webhook != nil {
		lines = append(lines, fmt.Sprintf("- %s is not asked.", r.Webhook.URL))
	}
	if o.PerHolder > 0 {
		lines = append(lines, fmt.Sprintf("- It lets in one holder at most %d times a day (UTC) until it reaches the hub again.", o.PerHolder))
	}
	if o.PerKiosk > 0 {
		lines = append(lines, fmt.Sprintf("- It lets in at most %d holders in total until it reaches the hub again.", o.PerKiosk))
	}
	return lines
}
