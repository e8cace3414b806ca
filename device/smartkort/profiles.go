package smartkort

import (
	"bytes"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

//go:embed profiles/*.toml
var builtin embed.FS

// Profiles is a list of card profiles. The first that matches a card is used.
type Profiles struct {
	list  []*Profile
	plain *Profile // iso7816-15, for all other cards
}

// plainName is the name of the profile for cards that no other profile matches.
const plainName = "iso7816-15"

// BuiltinProfiles are the profiles in profiles/.
var BuiltinProfiles = func() *Profiles {
	files, err := fs.Sub(builtin, "profiles")
	if err == nil {
		var p *Profiles
		if p, err = (&Profiles{}).with(files); err == nil {
			return p
		}
	}
	panic(err) // cannot happen: the profiles are compiled in and tested
}()

// LoadProfiles returns the profiles in a folder's *.toml files, in the order
// of their file names, followed by the built-in profiles. A profile replaces a
// built-in one of the same name. Unknown keys and invalid values are errors.
func LoadProfiles(dir string) (*Profiles, error) {
	p, err := BuiltinProfiles.with(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("cannot load card profiles from %s: %w", dir, err)
	}
	return p, nil
}

// with returns the profiles of a folder followed by those of p.
func (p *Profiles) with(dir fs.FS) (*Profiles, error) {
	names, err := fs.Glob(dir, "*.toml")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("it contains no *.toml file")
	}
	var list []*Profile
	for _, name := range names {
		b, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		profile, err := ParseProfile(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if slices.ContainsFunc(list, profile.sameName) {
			return nil, fmt.Errorf("%s: a second profile %q", name, profile.Name)
		}
		list = append(list, profile)
	}
	for _, old := range p.list {
		if !slices.ContainsFunc(list, old.sameName) {
			list = append(list, old)
		}
	}
	all := &Profiles{list: list}
	for _, profile := range list {
		if profile.Name == plainName {
			all.plain = profile
		}
	}
	return all, nil
}

func (p *Profile) sameName(other *Profile) bool { return p.Name == other.Name }

// ParseProfile decodes one profile. Unknown keys are errors.
func ParseProfile(b []byte) (*Profile, error) {
	d := toml.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	p := &Profile{}
	err := d.Decode(p)
	if strict := (*toml.StrictMissingError)(nil); errors.As(err, &strict) {
		return nil, fmt.Errorf("cannot read profile: unknown key: %s", strict.String())
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read profile: %w", err)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("cannot read profile: %w", err)
	}
	return p, nil
}

// For returns the profile for a card with this answer to reset and this
// TokenInfo. token is nil while it is unknown.
func (p *Profiles) For(atr []byte, token *TokenInfo) *Profile { return p.find(atr, token, nil) }

// find is like For, for a card whose application was found in an applet; nil for
// none.
func (p *Profiles) find(atr []byte, token *TokenInfo, applet []byte) *Profile {
	for _, profile := range p.list {
		if profile.matches(atr, token, applet) {
			return profile
		}
	}
	return p.plain
}

// applets returns the AIDs of the profiles' applets: those of profiles that name this
// answer to reset, and those of profiles that name none, because a card whose
// application is in an applet often has nothing else to be recognised by.
func (p *Profiles) applets(atr []byte) (named, others [][]byte) {
	have := strings.ToUpper(hex.EncodeToString(atr))
	for _, profile := range p.list {
		for _, text := range profile.Application.Applets {
			aid, _ := hex.DecodeString(text) // check has checked it
			switch {
			case len(profile.Match.ATR) == 0:
				others = append(others, aid)
			case slices.ContainsFunc(profile.Match.ATR, func(form string) bool { return hasForm(have, form) }):
				named = append(named, aid)
			}
		}
	}
	return named, others
}
