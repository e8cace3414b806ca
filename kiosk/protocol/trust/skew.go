package trust

import "time"

// DefaultSkew is the allowance for clock skew: how far two clocks may differ
// before one of them counts as wrong. It applies to both ends of every window:
//
//   - notBefore and notAfter of the holder's, the CAs' and the responder's certificate,
//   - thisUpdate, nextUpdate and the greatest age of a CRL or an OCSP answer,
//   - issued_at and valid_until of a hub's policy.
//
// A trust domain may set another allowance (skew in domains.toml). Nonces need
// none: the hub that makes a nonce also sees it expire. A certificate or CRL is so
// accepted for at most this much longer than it says.
const DefaultSkew = 5 * time.Minute

// begun tells whether a window that opens at from is open at the given time.
func begun(from, at time.Time, skew time.Duration) bool { return !from.After(at.Add(skew)) }

// ended tells whether a window that closes at until is closed at the given time.
func ended(until, at time.Time, skew time.Duration) bool { return until.Before(at.Add(-skew)) }

// clamp moves at into a certificate's window, from which it may be off by the skew.
func clamp(at, notBefore, notAfter time.Time) time.Time {
	if at.Before(notBefore) {
		return notBefore
	}
	if at.After(notAfter) {
		return notAfter
	}
	return at
}
