package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"smartkiosk/device/tomlfile"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// file is the TOML form of a rules file.
type file struct {
	Default  string              `toml:"default"`
	Timezone string              `toml:"timezone"`
	Groups   map[string][]string `toml:"groups"`
	Rule     []entry             `toml:"rule"`
	Webhook  *webhookEntry       `toml:"webhook"`
	Services []servicesEntry     `toml:"services"`
}

// entry is one [[rule]].
type entry struct {
	Name     string   `toml:"name"`
	Action   string   `toml:"action"`
	Subjects []string `toml:"subjects"`
	Domains  []string `toml:"domains"`
	Kiosks   []string `toml:"kiosks"`
	Groups   []string `toml:"groups"`
	Weekdays []string `toml:"weekdays"`
	Hours    []string `toml:"hours"`
	From     any      `toml:"from"`  // toml.LocalDate, toml.LocalDateTime or time.Time
	Until    any      `toml:"until"` // the same
}

// MaxFile is the size of the largest rules file in bytes.
const MaxFile = 1 << 20

// Parse reads rules. dir is the folder of the webhook's secret_file.
func Parse(text []byte, dir string) (*Rules, error) {
	if len(text) > MaxFile {
		return nil, fmt.Errorf("the file has more than %d bytes", MaxFile)
	}
	var f file
	if err := tomlfile.Decode(text, &f); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	r := &Rules{Version: hex.EncodeToString(sum[:6]), allowByDefault: f.Default == "allow", groups: f.Groups}
	if f.Default != "allow" && f.Default != "deny" {
		return nil, fmt.Errorf("default = %q: write \"allow\" or \"deny\", the decision if no rule applies", f.Default)
	}
	if f.Timezone != "" {
		var err error
		// "Local" would mean another zone on each machine.
		if r.zone, err = time.LoadLocation(f.Timezone); err != nil || f.Timezone == "Local" {
			return nil, fmt.Errorf("timezone = %q is unknown: write one like \"Europe/Oslo\"", f.Timezone)
		}
	}
	if err := checkGroups(f.Groups); err != nil {
		return nil, err
	}
	for i, e := range f.Rule {
		read, err := e.read(f.Groups, r.zone)
		if err == nil && slices.ContainsFunc(r.rules, func(other rule) bool { return other.Name == e.Name }) {
			err = errors.New("two rules have this name")
		}
		if err != nil {
			return nil, fmt.Errorf("rule %d %q: %w", i+1, e.Name, err)
		}
		r.rules = append(r.rules, read)
	}
	services, err := readServices(f.Services, f.Groups)
	if err != nil {
		return nil, err
	}
	r.services = services
	if f.Webhook != nil {
		var err error
		if r.Webhook, err = f.Webhook.read(dir); err != nil {
			return nil, fmt.Errorf("webhook: %w", err)
		}
	}
	return r, nil
}

// read checks e and makes a rule of it.
func (e entry) read(groups map[string][]string, zone *time.Location) (r rule, err error) {
	r = rule{entry: e, allow: e.Action == "allow", subjects: setOf(e.Subjects), domains: setOf(e.Domains), kiosks: e.kiosksOf(groups)}
	if !label.MatchString(e.Name) {
		return r, errors.New("the name must consist of lower-case letters, digits and hyphens")
	}
	if e.Action != "allow" && e.Action != "deny" {
		return r, fmt.Errorf("action = %q: write \"allow\" or \"deny\"", e.Action)
	}
	limited := e.From != nil || e.Until != nil
	for _, l := range []struct {
		name  string
		parts []string
		check func(part string) error
	}{
		{"subjects", e.Subjects, checkSubject},
		{"domains", e.Domains, checkLabel},
		{"kiosks", e.Kiosks, checkLabel},
		{"groups", e.Groups, func(name string) error {
			if _, ok := groups[name]; !ok {
				return errors.New("[groups] has no such group")
			}
			return nil
		}},
		{"weekdays", e.Weekdays, nil},
		{"hours", e.Hours, nil},
	} {
		limited = limited || l.parts != nil
		if err := checkList(l.name, l.parts, l.check); err != nil {
			return r, err
		}
	}
	if !limited {
		return r, errors.New("it applies to everybody, everywhere, at all times: use default for that")
	}
	r.Calendar, err = e.calendar(zone)
	return r, err
}

// checkList refuses a list that is present but empty, an element that occurs twice, and
// elements that check refuses.
func checkList(name string, parts []string, check func(part string) error) error {
	if parts != nil && len(parts) == 0 {
		return fmt.Errorf("%s is empty: leave it out to set no condition", name)
	}
	seen := set{}
	for _, p := range parts {
		if seen[p] {
			return fmt.Errorf("%s: %q occurs twice", name, p)
		}
		seen[p] = true
		if check != nil {
			if err := check(p); err != nil {
				return fmt.Errorf("%s: %q: %w", name, p, err)
			}
		}
	}
	return nil
}

func (e entry) calendar(zone *time.Location) (c hubpolicy.Calendar, err error) {
	if e.Weekdays != nil || e.Hours != nil {
		if zone == nil {
			return c, errZone
		}
		c.Zone = zone.String()
	}
	if e.Weekdays != nil {
		if c.Weekdays, err = readDays(e.Weekdays); err != nil {
			return c, err
		}
	}
	for _, text := range e.Hours {
		s, err := readSpan(text)
		if err != nil {
			return c, err
		}
		c.Hours = append(c.Hours, s)
	}
	if c.From, err = readMoment(e.From, zone, false); err != nil {
		return c, fmt.Errorf("from: %w", err)
	}
	if c.Until, err = readMoment(e.Until, zone, true); err != nil {
		return c, fmt.Errorf("until: %w", err)
	}
	if !c.Until.IsZero() && !c.From.Before(c.Until) {
		return c, errors.New("until is not after from")
	}
	return c, c.Prepare()
}

// checkDomains refuses a rule about a trust domain that is not in known.
func (r *Rules) checkDomains(known []string) error {
	for _, rule := range r.rules {
		for _, d := range rule.Domains {
			if !slices.Contains(known, d) {
				return fmt.Errorf("rule %q: domains: there is no trust domain %q, only %q", rule.Name, d, known)
			}
		}
	}
	return nil
}

func checkGroups(groups map[string][]string) error {
	for name, kiosks := range groups {
		if err := checkLabel(name); err != nil {
			return fmt.Errorf("group %q: %w", name, err)
		}
		if len(kiosks) == 0 {
			return fmt.Errorf("group %q has no kiosks", name)
		}
		if err := checkList("kiosks", kiosks, checkLabel); err != nil {
			return fmt.Errorf("group %q: %w", name, err)
		}
	}
	return nil
}

var (
	// label is the form of the names of rules, groups, kiosks and trust domains.
	label = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	// subject is the form of a holder's identifier, which package trust derives from a
	// certificate: a Buypass number, or a trust domain and the CA's name for the holder.
	subject = regexp.MustCompile(`^(?:UN:NO-9578-4050-[0-9]{1,32}|[a-z][a-z0-9-]*:[!-~](?:[ -~]{0,62}[!-~])?)$`)
)

func checkLabel(name string) error {
	if !label.MatchString(name) {
		return errors.New("it must consist of lower-case letters, digits and hyphens")
	}
	return nil
}

// checkSubject refuses an identifier that no holder can have, because a deny rule for it
// would never apply.
func checkSubject(s string) error {
	if !subject.MatchString(s) {
		return errors.New("no holder has such an identifier: write UN:NO-9578-4050-<digits>, or <trust domain>:<number or e-mail address>")
	}
	return nil
}
