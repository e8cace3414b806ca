package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"smartkiosk/device/tomlfile"
)

// File is the name of the file in a hub's folder that configures brokers. A hub without it
// offers no logins.
const File = "brokers.toml"

// Set is the content of a brokers.toml, with a client for each broker.
type Set struct {
	Public  Public
	groups  map[string]string // a group of rules.toml → its broker
	places  map[string]string // a kiosk → where it is, in words
	clients map[string]*Client
	why     string // the error of the last reload
}

// Public is the listener for phones, which have no client certificate.
type Public struct {
	Listen      string `toml:"listen"`      // host:port
	URL         string `toml:"url"`         // https://host[:port], as phones reach it
	Certificate string `toml:"certificate"` // file, PEM; a public CA has to issue it
	Key         string `toml:"key"`         // file, PEM
}

// maxPublicURL is the maximum length of Public.URL. With a slash and a code of six letters
// it fits a QR code of version 3 and level M: 61 letters (ISO/IEC 18004, table 7).
const maxPublicURL = 61 - 7

// AllGroups is the entry of [groups] for kiosks that are in no other group there.
const AllGroups = "*"

// brokerName is the form of a broker's name.
var brokerName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// Load reads the brokers.toml in a folder. It returns nil if the folder has no such file.
func Load(dir string, in Surroundings) (*Set, error) {
	path := filepath.Join(dir, File)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read brokers: %w", err)
	}
	s, err := parse(text, dir, in)
	if err != nil {
		return nil, fmt.Errorf("cannot read brokers %s: %w", path, err)
	}
	return s, nil
}

func parse(text []byte, dir string, in Surroundings) (*Set, error) {
	var file struct {
		Public  Public            `toml:"public"`
		Groups  map[string]string `toml:"groups"`
		Places  map[string]string `toml:"places"`
		Brokers map[string]Config `toml:"brokers"`
	}
	if err := tomlfile.Decode(text, &file); err != nil {
		return nil, err
	}
	s := &Set{Public: file.Public, groups: file.Groups, places: file.Places, clients: map[string]*Client{}}
	if s.Public.Listen == "" {
		return nil, errors.New("public.listen is missing: it is the address at which phones reach the hub")
	}
	production := Config{Environment: Production}
	if err := production.checkAddress("public.url", s.Public.URL); err != nil {
		return nil, err
	}
	if n := len(s.Public.URL); n > maxPublicURL {
		return nil, fmt.Errorf("public.url has %d letters, more than %d: a kiosk's display has no room for a QR code of it", n, maxPublicURL)
	}
	for _, name := range slices.Sorted(maps.Keys(file.Brokers)) {
		c := file.Brokers[name]
		if !brokerName.MatchString(name) {
			return nil, fmt.Errorf("the name of broker %q is not 1 to 32 lower-case letters, digits and hyphens", name)
		}
		c.Name, c.RedirectURL = name, s.Public.URL+CallbackPath
		client, err := New(c, dir, in)
		if err != nil {
			return nil, err
		}
		s.clients[name] = client
	}
	for _, group := range slices.Sorted(maps.Keys(s.groups)) {
		if s.clients[s.groups[group]] == nil {
			return nil, fmt.Errorf("groups.%s = %q: there is no such broker", group, s.groups[group])
		}
	}
	return s, s.checkApart()
}

// CallbackPath is the path of the redirect URL under Public.URL.
const CallbackPath = "/callback"

// checkApart checks every pair of brokers.
func (s *Set) checkApart() error {
	all := s.Clients()
	for i, a := range all {
		for _, b := range all[i+1:] {
			if err := checkApart(a, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// Clients returns the clients in the order of their names.
func (s *Set) Clients() []*Client {
	var all []*Client
	for _, name := range slices.Sorted(maps.Keys(s.clients)) {
		all = append(all, s.clients[name])
	}
	return all
}

// Client returns the client of a broker, or nil.
func (s *Set) Client(name string) *Client { return s.clients[name] }

// For returns the broker of a kiosk that is in these groups, or nil if it has none. A kiosk
// whose groups name different brokers has none, because it could be for both environments.
func (s *Set) For(groups []string) *Client {
	name := ""
	for _, g := range groups {
		switch named := s.groups[g]; {
		case named == "":
		case name != "" && name != named:
			return nil
		default:
			name = named
		}
	}
	if name == "" {
		name = s.groups[AllGroups]
	}
	return s.clients[name]
}

// Place returns where a kiosk is, for the person with the phone; by default its name.
func (s *Set) Place(kiosk string) string { return cmp.Or(s.places[kiosk], kiosk) }

// Domains returns the trust domains of the holders whom the brokers name.
func (s *Set) Domains() []string {
	var all []string
	for _, c := range s.Clients() {
		all = append(all, c.config.Domain)
	}
	return all
}

// Run reads the credentials again at every interval until ctx ends. If a file has an error,
// or would make sandbox and production share a key, the credentials in use stay.
func (s *Set) Run(ctx context.Context, every time.Duration, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.reload(log)
		}
	}
}

func (s *Set) reload(log *slog.Logger) {
	var failed error
	for _, c := range s.Clients() {
		before := c.credentials.Load()
		changed, err := c.Reload()
		if err == nil && changed {
			if err = s.checkApart(); err != nil {
				c.credentials.Store(before)
			} else {
				log.Info("credentials of a broker changed", "broker", c.config.Name, "keys", len(c.credentials.Load().thumbs))
			}
		}
		failed = errors.Join(failed, err)
	}
	switch {
	case failed == nil:
		s.why = ""
	case s.why != failed.Error():
		s.why = failed.Error()
		log.Error("credentials of a broker not changed, those of before are used", "err", failed)
	}
}
