package hubpolicy

import (
	"crypto/hmac"
	"crypto/sha256"
	"time"

	"smartkiosk/kiosk"
)

// Pseudonym returns the name by which a hub refers to a holder when it tells
// its kiosks who was let in: an HMAC-SHA256 under the hub's holder key.
func Pseudonym(key []byte, h kiosk.Holder) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(h.Domain + "\x00" + h.ID))
	return mac.Sum(nil)
}

// Day returns the number of days since 1970-01-01 UTC.
func Day(at time.Time) int64 { return at.Unix() / int64(24*time.Hour/time.Second) }
