package trust

import "time"

// DefaultSkew is the allowance for clock skew: how far two clocks may differ
// before one of them counts as wrong. It applies to both ends of every window:
//
//   - notBefore and notAfter of the holder's, the CAs' and the responder's certificate,
//   - thisUpdate, nextUpdate and the greatest age of a CRL or an OCSP answer,
//   - issued_at and valid_until of a hub's policy.
//
// A certificate or CRL is thus accepted for at most this time longer than it says.
// A trust domain may set another allowance (skew in domains.toml). A nonce needs no
// allowance, because the hub that makes the nonce also checks whether it has expired.
const DefaultSkew = 5 * time.Minute

// begun reports whether a window that opens at from is open at the given time.
func begun(from, at time.Time, skew time.Duration) bool { return !from.After(at.Add(skew)) }

// ended reports whether a window that closes at until is closed at the given time.
func ended(until, at time.Time, skew time.Duration) bool { return until.Before(at.Add(-skew)) }

// clamp returns the time in a certificate's validity that is nearest to at. The
// caller has checked that at differs from it by at most the skew.
func clamp(at, notBefore, notAfter time.Time) time.Time {
	if at.Before(notBefore) {
		return notBefore
	}
	if at.After(notAfter) {
		return notAfter
	}
	return at
}
