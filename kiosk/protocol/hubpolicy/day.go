package hubpolicy

import "time"

// Day returns the number of days since 1970-01-01 UTC.
func Day(at time.Time) int64 { return at.Unix() / int64(24*time.Hour/time.Second) }
