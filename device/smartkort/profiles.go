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

	"github.com/pelletier/go-toml/v2"
)

//go:embed profiles/*.toml
var builtin embed.FS

// Profiles are the kinds of card known, in the order in which they are asked
// whether a card is theirs.
type Profiles struct {
	list  []*Profile
	plain *Profile // iso7816-15, for all other cards
}

// plainName is the profile that every card falls back on.
const plainName = "iso7816-15"

// BuiltinProfiles are those compiled in: buypass and iso7816-15.
var BuiltinProfiles = func() *Profiles {
	files, err := fs.Sub(builtin, "profiles")
	if err == nil {
		var p *Profiles
		if p, err = (&Profiles{}).with(files); err == nil {
			return p
		}
	}
	panic(err) // they are compiled in, and a test reads them
}()

// LoadProfiles gives the profiles of a folder's *.toml files, in the order of
// their names, before those compiled in. One of the name of another takes its
// place. A file with a key that no profile has, or a value that makes no
// sense, is an error.
func LoadProfiles(dir string) (*Profiles, error) {
	p, err := BuiltinProfiles.with(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("cannot load card profiles from %s: %w", dir, err)
	}
	return p, nil
}

// with puts the profiles of a folder before those of p.
func (p *Profiles) with(dir fs.FS) (*Profiles, error) {
	names, err := fs.Glob(dir, "*.toml")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("no *.toml in it")
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

// ParseProfile reads one profile, strictly: an unknown key is an error.
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

// For gives the profile of the card that has this answer to reset and, once it
// is read, this TokenInfo.
func (p *Profiles) For(atr []byte, token *TokenInfo) *Profile {
	for _, profile := range p.list {
		if profile.matches(atr, token) {
			return profile
		}
	}
	return p.plain
}

// applets are the AIDs behind which a card may hold its application: those of
// all profiles, as a card behind an applet has nothing else to be told by.
func (p *Profiles) applets() [][]byte {
	var all [][]byte
	for _, profile := range p.list {
		for _, text := range profile.Application.Applets {
			aid, _ := hex.DecodeString(text) // checked when it was read
			all = append(all, aid)
		}
	}
	return all
}
