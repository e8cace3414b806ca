package panel

import (
	"net"
	"net/http"
	"net/netip"
)

// contentPolicy lets a page load resources only from its own server. It forbids
// inline scripts and framing by any page (CSP Level 3).
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Guard restricts a handler to browsers on this machine. It refuses these
// requests with 403:
//
//   - requests from another machine
//   - requests that a foreign page sends (Fetch Metadata, or an Origin that is
//     not the Host)
//   - requests to a host name other than localhost or a loopback address, which
//     catches a name that an attacker points at this machine (DNS rebinding)
//
// It adds to every response a strict Content-Security-Policy and headers that
// forbid caching and framing.
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

// embeddedElsewhere reports whether a foreign page sends a request other than a
// navigation. CrossOriginProtection does not check GET requests, but a foreign
// page must not read the stream of the display either.
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
