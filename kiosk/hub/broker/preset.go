package broker

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"smartkiosk/device/tomlfile"
)

// preset holds the names that a kind of broker uses.
type preset struct {
	Scopes           []string     `toml:"scopes"`
	ClientAuth       []ClientAuth `toml:"client_auth"`
	AMRParameter     string       `toml:"amr_parameter"`
	HintParameter    string       `toml:"hint_parameter"`
	Prompt           string       `toml:"prompt"`
	UserInfo         bool         `toml:"userinfo"`
	ACRNamesProvider bool         `toml:"acr_names_provider"`
	SubjectClaim     string       `toml:"subject_claim"`
	SubjectForm      SubjectForm  `toml:"subject_form"`
	CertificateClaim string       `toml:"certificate_claim"`

	REST      bool   `toml:"rest"` // not OpenID Connect, but Signicat's REST API
	API       string `toml:"api"`
	TokenPath string `toml:"token_path"`
	RESTPath  string `toml:"rest_path"`
}

//go:embed presets.toml
var presetsFile []byte

var presets = sync.OnceValue(func() map[string]preset {
	var all map[string]preset
	if err := tomlfile.Decode(presetsFile, &all); err != nil {
		panic(fmt.Sprintf("broker: presets.toml: %v", err))
	}
	return all
})

func presetOf(name string) (preset, error) {
	if p, ok := presets()[name]; ok {
		return p, nil
	}
	return preset{}, fmt.Errorf("preset = %q: write one of %s", name, strings.Join(slices.Sorted(maps.Keys(presets())), ", "))
}
