package panel

import (
	"net"
	"net/http"
	"net/netip"
)

// contentPolicy lets a page load what its own server gives it and nothing else,
// run no inline script and be framed by nobody (CSP Level 3).
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Guard keeps a handler to people at this machine. It refuses, with 403, what
// comes from another machine, what a foreign page sends (Fetch Metadata, or an
// Origin that is not the Host) and what was sent to a host name other than
// localhost or a loopback address: a name that an attacker lets point here is
// thereby found out (DNS rebinding). To every answer it adds a strict
// Content-Security-Policy and headers that forbid caching and framing.
func Guard(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	guarded := sameOrigin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if !loopback(r.RemoteAddr) || !localHost(r.Host) || embeddedElsewhere(r) {
			http.Error(w, "this page is for this machine alone", http.StatusForbidden)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// embeddedElsewhere tells whether a foreign page asks for something without a
// person going there. CrossOriginProtection leaves GET alone; a stream of what
// a display shows deserves better.
func embeddedElsewhere(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

func localHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if len(host) > 2 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func loopback(addrport string) bool {
	a, err := netip.ParseAddrPort(addrport)
	return err == nil && a.Addr().Unmap().IsLoopback()
}
