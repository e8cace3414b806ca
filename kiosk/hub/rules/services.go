package rules

import (
	"errors"
	"fmt"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// servicesEntry is one [[services]]: what holders can do at these kiosks apart from the
// login.
type servicesEntry struct {
	Kiosks    []string      `toml:"kiosks"`
	Groups    []string      `toml:"groups"`
	ChangePIN bool          `toml:"change_pin"`
	Unblock   bool          `toml:"unblock_pin"`
	Documents bool          `toml:"documents"`
	Choice    []choiceEntry `toml:"choice"`
}

type choiceEntry struct {
	Code  string            `toml:"code"`
	Texts map[string]string `toml:"texts"`
}

// services are those of some kiosks.
type services struct {
	kiosks  set // nil for all kiosks that no other entry names
	offered kiosk.Services
}

// Services returns what a kiosk offers: by the entry that names it or one of its groups,
// otherwise by the entry that names none.
func (r *Rules) Services(name string) kiosk.Services {
	var others kiosk.Services
	for _, s := range r.services {
		if s.kiosks[name] {
			return s.offered
		}
		if s.kiosks == nil {
			others = s.offered
		}
	}
	return others
}

// readServices checks the entries of a file. A kiosk may be in one of them only.
func readServices(entries []servicesEntry, groups map[string][]string) (all []services, err error) {
	named, others := set{}, false
	for i, e := range entries {
		s, err := e.read(groups)
		if err != nil {
			return nil, fmt.Errorf("services %d: %w", i+1, err)
		}
		if s.kiosks == nil && others {
			return nil, fmt.Errorf("services %d: a second entry that names no kiosks", i+1)
		}
		others = others || s.kiosks == nil
		for k := range s.kiosks {
			if named[k] {
				return nil, fmt.Errorf("services %d: kiosk %q has services already", i+1, k)
			}
			named[k] = true
		}
		all = append(all, s)
	}
	return all, nil
}

func (e servicesEntry) read(groups map[string][]string) (s services, err error) {
	if err := checkList("kiosks", e.Kiosks, checkLabel); err != nil {
		return s, err
	}
	if err := checkList("groups", e.Groups, func(name string) error {
		if _, ok := groups[name]; !ok {
			return errors.New("[groups] has no such group")
		}
		return nil
	}); err != nil {
		return s, err
	}
	s = services{
		kiosks:  entry{Kiosks: e.Kiosks, Groups: e.Groups}.kiosksOf(groups),
		offered: kiosk.Services{ChangePIN: e.ChangePIN, Unblock: e.Unblock, Documents: e.Documents},
	}
	for _, c := range e.Choice {
		s.offered.Choices = append(s.offered.Choices, kiosk.Choice(c))
	}
	return s, hubpolicy.CheckServices(s.offered)
}
