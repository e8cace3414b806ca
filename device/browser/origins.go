package browser

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// originOf returns the origin of a URL (RFC 6454 §4), without a default port; "" for a
// URL without a host.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}

// CheckOrigin returns an error unless s is an origin with TLS as browsers write it, such as
// "https://login.example".
func CheckOrigin(s string) error {
	if u, err := url.Parse(s); err != nil || u.Scheme != "https" || u.User != nil || originOf(s) != s || strings.ContainsAny(s, "*%, ") {
		return fmt.Errorf("%q is not an origin: https://host[:port] in lower case, without a slash at the end", s)
	}
	return nil
}

// rules says where Chromium may go.
type rules struct {
	panel    string   // origin of the panel page
	origins  []string // of the login; nil without a login
	callback string   // without a query; "" without a login
}

// decision is what happens to a request.
type decision int

const (
	refused decision = iota
	allowed
	callback // the login is over: the query has the broker's answer
)

// decide judges a request. main means a navigation of the whole page, document one of any
// frame.
func (r rules) decide(address string, main, document bool) decision {
	if r.callback == "" {
		if originOf(address) == r.panel {
			return allowed
		}
		return refused
	}
	if main {
		if path, _, _ := strings.Cut(address, "?"); path == r.callback {
			return callback
		}
	}
	switch origin := originOf(address); {
	case origin == r.panel:
		return refused // a login page must not reach kioskd
	case slices.Contains(r.origins, origin):
		return allowed
	case !document && (origin == cardService || strings.HasPrefix(address, "data:") || strings.HasPrefix(address, "blob:")):
		return allowed
	}
	return refused
}

// cardService is the origin of the service through which a login page reaches the card
// (device/scproxy).
const cardService = "https://127.0.0.1:31505"
