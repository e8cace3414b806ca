package hub

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// withRegistry calls a function with a registry.
type withRegistry func(f func(ctx context.Context, r *registry) error) error

// registryOf returns the registry of the hub in a folder, which may be running.
func registryOf(dir string) withRegistry {
	return func(f func(ctx context.Context, r *registry) error) error { return useRegistry(dir, f) }
}

func useRegistry(dir string, f func(ctx context.Context, r *registry) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	js, end, err := openStore(ctx, dir)
	if err != nil {
		return fmt.Errorf("cannot read the registered certificates: %w", err)
	}
	defer end()
	r, err := openRegistry(ctx, js, dir, time.Now)
	if err != nil {
		return fmt.Errorf("cannot read the registered certificates: %w", err)
	}
	return f(ctx, r)
}

// Client describes a client of the hub for its operator.
type Client struct {
	Name        string    `json:"name"`
	State       State     `json:"state"`
	NotBefore   time.Time `json:"not_before,omitzero"` // of its newest certificate
	NotAfter    time.Time `json:"not_after,omitzero"`
	Serial      string    `json:"serial,omitempty"`
	Fingerprint string    `json:"fingerprint,omitempty"` // SHA-256 of the certificate
	Source      string    `json:"source,omitempty"`      // how it came about
	Removed     time.Time `json:"removed,omitzero"`
	Seen        time.Time `json:"seen,omitzero"`        // when a kiosk called last, to 10 minutes
	Host        string    `json:"host,omitempty"`       // by which it called the hub
	Twin        time.Time `json:"twin,omitzero"`        // when two machines were last seen with its identity
	Addresses   []string  `json:"addresses,omitempty"`  // of the two
	Alarms      int       `json:"alarms"`               // of a kiosk
	LastAlarm   string    `json:"last_alarm,omitempty"` // its kind
}

// State is the state of a client's certificate.
type State string

const (
	Valid   State = "valid"
	Ending  State = "ending"  // it expires within EndingSoon
	Expired State = "expired" // the client can no longer connect
	Removed State = "removed"
)

// Clients lists the clients with a role, also those that were removed, by name.
func Clients(dir string, role hubapi.Role) (list []Client, err error) {
	err = useRegistry(dir, func(ctx context.Context, r *registry) error {
		entries, err := r.all(ctx, role)
		if err != nil {
			return err
		}
		marks, err := r.marks(ctx)
		if err != nil {
			return err
		}
		seen, err := r.sightings(ctx)
		if err != nil {
			return err
		}
		for name, e := range entries {
			c := describeClient(name, e, r.now())
			if role == hubapi.RoleKiosk {
				c.Alarms, c.LastAlarm = marks[name].Alarms, marks[name].Kind
				c.Seen, c.Host = seen[name].Last, seen[name].Host
				if s := seen[name]; r.now().Sub(s.Twin) < twinMemory {
					c.Twin, c.Addresses = s.Twin, []string{s.Address, s.Before}
				}
			}
			list = append(list, c)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b Client) int { return cmp.Compare(a.Name, b.Name) })
	return list, err
}

func describeClient(name string, e entry, now time.Time) Client {
	c := Client{Name: name, State: Removed, Removed: e.Removed}
	newest := e.current()
	if newest == nil {
		return c
	}
	c.NotBefore, c.NotAfter, c.Serial = newest.NotBefore, newest.NotAfter, newest.Serial
	c.Fingerprint, c.Source = newest.Fingerprint, string(newest.Source)
	switch {
	case !now.Before(newest.NotAfter):
		c.State = Expired
	case newest.NotAfter.Sub(now) < hubapi.EndingSoon:
		c.State = Ending
	default:
		c.State = Valid
	}
	return c
}

// marks returns the marks of all kiosks.
func (r *registry) marks(ctx context.Context) (map[string]Mark, error) {
	marks := map[string]Mark{}
	kv, err := openMarks(ctx, r.js)
	if err != nil {
		return nil, err
	}
	err = eachEntry(ctx, kv, ">", func(key string, text []byte) error {
		var m Mark
		_ = json.Unmarshal(text, &m) // a damaged mark counts as none
		marks[key] = m
		return nil
	})
	return marks, err
}

// Removal says what RemoveClient did.
type Removal struct {
	Known    bool   // whether the hub knew the client
	Moved    string // the folder to which the client's bundle was moved, or ""
	Accounts string // the file with the accounts that external servers must have now, or ""
}

// RemoveClient ends all certificates of a client. Every hub closes the client's connections
// within seconds and accepts no new ones. A bundle of the client in the hub's folder is
// moved aside.
//
// The hub may not know the client, if its certificate is from before the registry began and
// it has not connected since. Its name is blocked then.
func RemoveClient(dir string, id hubapi.Identity) (done Removal, err error) {
	if !hubapi.ValidName(id.Name) {
		return done, fmt.Errorf("cannot remove %s %s: a name is 1 to 63 lower-case letters, digits and hyphens", id.Role, id.Name)
	}
	bundle := filepath.Join(dir, bundleDirs[id.Role], id.Name)
	err = useRegistry(dir, func(ctx context.Context, r *registry) error {
		_, revision, err := r.get(ctx, id)
		if err != nil {
			return err
		}
		done.Known = revision > 0
		if err := r.remove(ctx, id); err != nil {
			return err
		}
		if id.Role == hubapi.RoleConsumer {
			if done.Accounts, err = removeNative(ctx, dir, r.js, id.Name); err != nil {
				return err
			}
		}
		if !isFolder(bundle) {
			return nil
		}
		done.Moved = filepath.Join(dir, removedDir, fmt.Sprintf("%s-%s-%s", id.Role, id.Name, r.now().UTC().Format("20060102T150405Z")))
		if err := os.MkdirAll(filepath.Dir(done.Moved), 0o700); err != nil {
			return err
		}
		return os.Rename(bundle, done.Moved)
	})
	if err != nil {
		return done, fmt.Errorf("cannot remove %s %s: %w", id.Role, id.Name, err)
	}
	return done, nil
}

var errNoClient = errors.New("there is no such name")

// RenewClient issues a new certificate for the key of a client's newest one, and writes it
// into the client's bundle, or into a file next to the bundles if there is no bundle. The
// earlier certificates stay valid until they expire, so that the client can go on until it
// has the new one.
func RenewClient(dir string, id hubapi.Identity) (path string, until time.Time, err error) {
	path, until, err = renewClient(dir, id)
	if err != nil {
		err = fmt.Errorf("cannot renew %s %s: %w", id.Role, id.Name, err)
	}
	return path, until, err
}

func renewClient(dir string, id hubapi.Identity) (path string, until time.Time, err error) {
	s, err := readSettings(dir)
	if err != nil {
		return "", until, err
	}
	ca, err := readAuthority(dir)
	if err != nil {
		return "", until, err
	}
	err = useRegistry(dir, func(ctx context.Context, r *registry) error {
		e, revision, err := r.get(ctx, id)
		if err != nil {
			return err
		}
		newest := e.current()
		switch {
		case revision == 0:
			return errNoClient
		case newest == nil:
			return errRemoved
		}
		key, err := x509.ParsePKIXPublicKey(newest.Key)
		if err != nil {
			return err
		}
		cert, err := ca.client(key, r.now(), s.lifetime(), id)
		if err != nil {
			return err
		}
		if err := r.register(ctx, id, cert, fromRenewal, false); err != nil {
			return err
		}
		until = cert.NotAfter
		path = filepath.Join(dir, bundleDirs[id.Role], id.Name)
		if isFolder(path) {
			path = filepath.Join(path, string(id.Role)+".pem")
		} else {
			path += ".pem"
		}
		return writeCertificate(path, cert.Raw)
	})
	return path, until, err
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist) && err == nil && info.IsDir()
}
