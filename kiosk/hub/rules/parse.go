package rules

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// file is a rules file as it stands in TOML.
type file struct {
	Default  string              `toml:"default"`
	Timezone string              `toml:"timezone"`
	Groups   map[string][]string `toml:"groups"`
	Rule     []entry             `toml:"rule"`
	Webhook  *webhookEntry       `toml:"webhook"`
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

// MaxFile is the longest rules file that is read, in bytes.
const MaxFile = 1 << 20

// Parse reads rules. The secret of a webhook is read from a file in dir.
func Parse(text []byte, dir string) (*Rules, error) {
	if len(text) > MaxFile {
		return nil, fmt.Errorf("it has more than %d bytes", MaxFile)
	}
	var f file
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&f); err != nil {
		if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
			return nil, fmt.Errorf("unknown key\n%s", strict.String())
		}
		if bad, ok := errors.AsType[*toml.DecodeError](err); ok {
			return nil, fmt.Errorf("%w\n%s", err, bad.String())
		}
		return nil, err
	}
	sum := sha256.Sum256(text)
	r := &Rules{Version: hex.EncodeToString(sum[:6]), allowByDefault: f.Default == "allow", groups: f.Groups}
	if f.Default != "allow" && f.Default != "deny" {
		return nil, fmt.Errorf("default = %q: say \"allow\" or \"deny\", what holds where no rule speaks", f.Default)
	}
	if f.Timezone != "" {
		var err error
		// "Local" would mean something else on each machine.
		if r.zone, err = time.LoadLocation(f.Timezone); err != nil || f.Timezone == "Local" {
			return nil, fmt.Errorf("timezone = %q is none, like \"Europe/Oslo\"", f.Timezone)
		}
	}
	if err := checkGroups(f.Groups); err != nil {
		return nil, err
	}
	for i, e := range f.Rule {
		read, err := e.read(f.Groups, r.zone)
		if err == nil && slices.ContainsFunc(r.rules, func(other rule) bool { return other.Name == e.Name }) {
			err = errors.New("there are two of that name")
		}
		if err != nil {
			return nil, fmt.Errorf("rule %d %q: %w", i+1, e.Name, err)
		}
		r.rules = append(r.rules, read)
	}
	if f.Webhook != nil {
		var err error
		if r.Webhook, err = f.Webhook.read(dir); err != nil {
			return nil, fmt.Errorf("webhook: %w", err)
		}
	}
	return r, nil
}

// read makes a rule of e.
func (e entry) read(groups map[string][]string, zone *time.Location) (r rule, err error) {
	r = rule{entry: e, allow: e.Action == "allow", subjects: setOf(e.Subjects), domains: setOf(e.Domains), kiosks: e.kiosksOf(groups)}
	if !label.MatchString(e.Name) {
		return r, errors.New("its name must be lower-case letters, digits and hyphens")
	}
	if e.Action != "allow" && e.Action != "deny" {
		return r, fmt.Errorf("action = %q: say \"allow\" or \"deny\"", e.Action)
	}
	said := e.From != nil || e.Until != nil
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
				return errors.New("there is no such group under [groups]")
			}
			return nil
		}},
		{"weekdays", e.Weekdays, nil},
		{"hours", e.Hours, nil},
	} {
		said = said || l.parts != nil
		if err := checkList(l.name, l.parts, l.check); err != nil {
			return r, err
		}
	}
	if !said {
		return r, errors.New("it would speak of everybody, everywhere, at all times: that is what default is for")
	}
	r.calendar, err = e.calendar(zone)
	return r, err
}

// checkList refuses a list that is there but empty, a part that stands twice,
// and what check refuses.
func checkList(name string, parts []string, check func(part string) error) error {
	if parts != nil && len(parts) == 0 {
		return fmt.Errorf("%s is empty: leave it out if it does not matter", name)
	}
	seen := set{}
	for _, p := range parts {
		if seen[p] {
			return fmt.Errorf("%s: %q stands twice", name, p)
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

func (e entry) calendar(zone *time.Location) (c calendar, err error) {
	if e.Weekdays != nil || e.Hours != nil {
		if c.zone = zone; zone == nil {
			return c, errZone
		}
	}
	c.days = [7]bool{true, true, true, true, true, true, true}
	if e.Weekdays != nil {
		if c.days, err = readDays(e.Weekdays); err != nil {
			return c, err
		}
	}
	for _, text := range e.Hours {
		s, err := readSpan(text)
		if err != nil {
			return c, err
		}
		c.spans = append(c.spans, s)
	}
	if c.start, err = readMoment(e.From, zone, false); err != nil {
		return c, fmt.Errorf("from: %w", err)
	}
	if c.stop, err = readMoment(e.Until, zone, true); err != nil {
		return c, fmt.Errorf("until: %w", err)
	}
	if !c.stop.IsZero() && !c.start.Before(c.stop) {
		return c, errors.New("it ends before it begins: until is not after from")
	}
	return c, nil
}

// checkDomains refuses a rule about a trust domain that is none of these.
func (r *Rules) checkDomains(known []string) error {
	for _, rule := range r.rules {
		for _, d := range rule.Domains {
			if !slices.Contains(known, d) {
				return fmt.Errorf("rule %q: domains: there is no trust domain %q, but %q", rule.Name, d, known)
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
	// label is a name of a rule, a group, a kiosk or a trust domain.
	label = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	// subject is what kiosk/trust makes of a certificate: a Buypass number
	// in its one form, or a trust domain and what its CA calls the holder.
	subject = regexp.MustCompile(`^(?:UN:NO-9578-4050-[0-9]{1,32}|[a-z][a-z0-9-]*:[!-~](?:[ -~]{0,62}[!-~])?)$`)
)

func checkLabel(name string) error {
	if !label.MatchString(name) {
		return errors.New("it must be lower-case letters, digits and hyphens")
	}
	return nil
}

// checkSubject refuses what no holder is called, as a rule that turns away
// somebody would never speak then.
func checkSubject(s string) error {
	if !subject.MatchString(s) {
		return errors.New("no holder is named so: write UN:NO-9578-4050-<digits>, or <trust domain>:<number or e-mail address>")
	}
	return nil
}
