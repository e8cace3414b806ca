package rules

import (
	"fmt"
	"strings"
	"time"
)

// Words says in sentences what the rules do, one line each.
func (r *Rules) Words() []string {
	lines := []string{"Of those whose card is in order:"}
	if r.zone != nil {
		lines[0] = fmt.Sprintf("Of those whose card is in order, by the time of %s:", r.zone)
	}
	for _, allow := range []bool{false, true} {
		for _, rule := range r.rules {
			if rule.allow == allow {
				lines = append(lines, "- "+rule.words())
			}
		}
	}
	if r.allowByDefault {
		lines = append(lines, "- Everybody else is let in.")
	} else {
		lines = append(lines, "- Everybody else is turned away.")
	}
	if w := r.Webhook; w != nil {
		failure := "turned away"
		if w.AllowOnFailure {
			failure = "let in"
		}
		lines = append(lines, fmt.Sprintf("Whoever is let in by this, %s is asked about; who is not answered for within %s is %s.", w.URL, w.Timeout, failure))
	}
	return lines
}

func (r rule) words() string {
	var b strings.Builder
	if r.allow {
		fmt.Fprintf(&b, "Rule %q lets in ", r.Name)
	} else {
		fmt.Fprintf(&b, "Rule %q turns away ", r.Name)
	}
	switch {
	case r.Subjects == nil && r.Domains == nil:
		b.WriteString("everybody")
	case r.Subjects == nil:
		fmt.Fprintf(&b, "holders in trust domain %s", or(r.Domains))
	default:
		b.WriteString(or(r.Subjects))
		if r.Domains != nil {
			fmt.Fprintf(&b, ", if in trust domain %s", or(r.Domains))
		}
	}
	if r.kiosks != nil {
		var places []string
		if r.Kiosks != nil {
			places = append(places, "kiosk "+or(r.Kiosks))
		}
		if r.Groups != nil {
			places = append(places, "a kiosk of group "+or(r.Groups))
		}
		fmt.Fprintf(&b, ", at %s", or(places))
	}
	if r.Weekdays != nil {
		fmt.Fprintf(&b, ", %s", or(days(r.Weekdays)))
	}
	if r.Hours != nil {
		fmt.Fprintf(&b, ", %s", or(r.Hours))
	}
	if !r.start.IsZero() {
		fmt.Fprintf(&b, ", from %s", r.start.Format(moment))
	}
	if !r.stop.IsZero() {
		fmt.Fprintf(&b, ", before %s", r.stop.Format(moment))
	}
	return b.String() + "."
}

// moment is the format of a rule's begin and end. It shows the weekday and the zone.
const moment = "Mon 2006-01-02 15:04 MST"

func or(parts []string) string {
	last := len(parts) - 1
	if last < 1 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:last], ", ") + " or " + parts[last]
}

// days returns the full names of weekdays.
func days(texts []string) []string {
	var full []string
	for _, text := range texts {
		first, last, isRange := strings.Cut(text, "-")
		name := time.Weekday(weekday(first)).String()
		if isRange {
			name += " to " + time.Weekday(weekday(last)).String()
		}
		full = append(full, name)
	}
	return full
}

// Words says in a sentence what was decided of a case.
func (d Decision) Words() string {
	switch {
	case d.Allowed && d.Rule != "":
		return fmt.Sprintf("Let in by rule %q.", d.Rule)
	case d.Allowed:
		return "Let in, as no rule speaks of this."
	case d.Rule != "":
		return fmt.Sprintf("Turned away by rule %q (%s).", d.Rule, d.Reason)
	}
	return fmt.Sprintf("Turned away, as no rule lets in (%s).", d.Reason)
}
