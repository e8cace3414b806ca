package rules

import (
	"fmt"
	"strings"
	"time"
)

// Words describes in sentences, one per line, what the hub does with the rules. See
// OfflineWords for what kiosks do.
func (r *Rules) Words() []string {
	lines := []string{"Online, the hub decides about holders of a valid card:"}
	if r.zone != nil {
		lines[0] = fmt.Sprintf("Online, the hub decides about holders of a valid card, in the time of %s:", r.zone)
	}
	for _, allow := range []bool{false, true} {
		for _, rule := range r.rules {
			if rule.allow == allow {
				lines = append(lines, "- "+rule.words())
			}
		}
	}
	if r.allowByDefault {
		lines = append(lines, "- It lets in everybody else.")
	} else {
		lines = append(lines, "- It turns away everybody else.")
	}
	if w := r.Webhook; w != nil {
		failure := "turned away"
		if w.AllowOnFailure {
			failure = "let in"
		}
		lines = append(lines, fmt.Sprintf("- It asks %s about each holder whom the rules let in. Without an answer within %s the holder is %s.", w.URL, w.Timeout, failure))
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
	if r.entry.Weekdays != nil {
		fmt.Fprintf(&b, ", %s", or(days(r.entry.Weekdays)))
	}
	if r.entry.Hours != nil {
		fmt.Fprintf(&b, ", %s", or(r.entry.Hours))
	}
	if !r.Calendar.From.IsZero() {
		fmt.Fprintf(&b, ", from %s", r.Calendar.From.Format(moment))
	}
	if !r.Calendar.Until.IsZero() {
		fmt.Fprintf(&b, ", before %s", r.Calendar.Until.Format(moment))
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

// Words describes a decision in a sentence.
func (d Decision) Words() string {
	switch {
	case d.Allowed && d.Rule != "":
		return fmt.Sprintf("Let in by rule %q.", d.Rule)
	case d.Allowed:
		return "Let in by the default: no rule applies."
	case d.Rule != "":
		return fmt.Sprintf("Turned away by rule %q (%s).", d.Rule, d.Reason)
	}
	return fmt.Sprintf("Turned away: no rule lets the holder in (%s).", d.Reason)
}
