package scproxy

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// allowed reports whether pages of an origin may speak to the card:
// https://secure.buypass.no, and https://secure.X.buypass.no with one label for X.
// The origin must have the form that browsers send (RFC 6454 §6.1).
func allowed(origin string) bool {
	host, ok := strings.CutPrefix(origin, "https://secure.")
	if !ok {
		return false
	}
	if host == "buypass.no" {
		return true
	}
	label, ok := strings.CutSuffix(host, ".buypass.no")
	return ok && isLabel(label)
}

// isLabel reports whether s is one label of a host name (RFC 1123 §2.1).
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}

// guard serves only pages of allowed origins, and answers their preflights (Fetch
// §3.2, CORS; WICG Private Network Access §3.1.3, for a public page that calls a
// private address).
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		h := w.Header()
		h.Set("Vary", "Origin")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if !allowed(origin) || !thisMachine(r.Host) {
			http.Error(w, "this page may not use the card", http.StatusForbidden)
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", http.MethodPost)
		h.Set("Access-Control-Allow-Headers", "Content-Type")
		if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
			h.Set("Access-Control-Allow-Private-Network", "true")
		}
		w.WriteHeader(http.StatusOK)
	})
}

// thisMachine reports whether a Host header names this machine.
func thisMachine(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
