package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"smartkiosk/device/atomicfile"
	"smartkiosk/kiosk/protocol/hubapi"
)

// URL returns the URL under which kiosks call the hub in a folder.
func URL(dir string) (string, error) {
	s, err := readSettings(dir)
	return s.URL, err
}

// checkCovered returns an error if a hub's certificate is not valid for its URL.
func checkCovered(cert tls.Certificate, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	if err := cert.Leaf.VerifyHostname(u.Hostname()); err != nil {
		return fmt.Errorf("the hub's certificate does not cover %s: run `kioskhub url set %s`", u.Hostname(), address)
	}
	return nil
}

// NewURL says what SetURL did.
type NewURL struct {
	Before string   // the URL before
	Hosts  []string // the names and addresses in the hub's new certificate
	// Behind are the kiosks that have called the hub by another URL, or not at all, since
	// their certificate was issued.
	Behind []string
}

// SetURL changes the URL under which kiosks call the hub, and issues a certificate of the
// hub for it. The certificate also covers the hosts of before, and the hub also accepts
// cards that sign for the URLs of before, unless forget is true. A running hub must be
// started again.
func SetURL(dir, address string, forget bool) (done NewURL, err error) {
	if done, err = setURL(dir, address, forget); err != nil {
		err = fmt.Errorf("cannot set the hub's URL: %w", err)
	}
	return done, err
}

func setURL(dir, address string, forget bool) (done NewURL, err error) {
	s, err := readSettings(dir)
	if err != nil {
		return done, err
	}
	if err := checkURL(address); err != nil {
		return done, err
	}
	done.Before = s.URL
	earlier := s.EarlierURLs
	if s.URL != address {
		earlier = append([]string{s.URL}, earlier...)
	}
	earlier = slices.DeleteFunc(earlier, func(u string) bool { return u == address || forget })
	if done.Hosts, err = serverHosts(InitOptions{Listen: s.Listen, URL: address}); err != nil {
		return done, err
	}
	for _, before := range earlier {
		more, err := serverHosts(InitOptions{Listen: s.Listen, URL: before})
		if err != nil {
			return done, err
		}
		done.Hosts = append(done.Hosts, more...)
	}
	slices.Sort(done.Hosts)
	done.Hosts = slices.Compact(done.Hosts)
	if done.Behind, err = kiosksBehind(dir, address); err != nil {
		return done, err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, serverFile), filepath.Join(dir, serverKeyFile))
	if err != nil {
		return done, fmt.Errorf("cannot read the hub's certificate: %w", err)
	}
	ca, err := readAuthority(dir)
	if err != nil {
		return done, err
	}
	cert, err := ca.server(pair.Leaf.PublicKey, time.Now(), done.Hosts...)
	if err != nil {
		return done, err
	}
	// The certificate comes first: it covers the URL of before too, unless that is to be
	// forgotten, so an interruption between the two leaves a hub that can serve.
	if err := replaceFile(filepath.Join(dir, serverFile), pemCertificate(cert)); err != nil {
		return done, err
	}
	path := filepath.Join(dir, settingsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return done, err
	}
	changed := withURLs(text, address, earlier)
	if got, err := parseSettings(changed); err != nil || got.URL != address || !slices.Equal(got.EarlierURLs, earlier) {
		return done, errors.Join(fmt.Errorf("cannot change url in %s: change it by hand", path), err)
	}
	return done, replaceFile(path, changed)
}

// kiosksBehind lists the kiosks that may still use another URL.
func kiosksBehind(dir, address string) (names []string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	err = useRegistry(dir, func(ctx context.Context, r *registry) error {
		entries, err := r.all(ctx, hubapi.RoleKiosk)
		if err != nil {
			return err
		}
		seen, err := r.sightings(ctx)
		if err != nil {
			return err
		}
		for name, e := range entries {
			if e.current() != nil && seen[name].Host != u.Host {
				names = append(names, name)
			}
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

var (
	urlLine     = regexp.MustCompile(`(?m)^url[ \t]*=.*$`)
	earlierLine = regexp.MustCompile(`(?m)^earlier_urls[ \t]*=.*\n`)
)

// withURLs replaces the URLs in the text of hub.toml, and keeps everything else.
func withURLs(text []byte, address string, earlier []string) []byte {
	text = earlierLine.ReplaceAll(text, nil)
	line := "url = " + strconv.Quote(address)
	if len(earlier) > 0 {
		line += "\nearlier_urls = ["
		for i, u := range earlier {
			if i > 0 {
				line += ", "
			}
			line += strconv.Quote(u)
		}
		line += "] # some kiosks still use them"
	}
	first := true
	return urlLine.ReplaceAllFunc(text, func(found []byte) []byte {
		if !first { // another table's
			return found
		}
		first = false
		return []byte(line)
	})
}

// replaceFile writes a file completely or not at all. It keeps the file's mode.
func replaceFile(path string, text []byte) error {
	mode := os.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	return atomicfile.Replace(path, text, mode)
}
