package event

import (
	"encoding/json"
	"time"
)

// What the examples in the table of types share. The person and the kiosk are invented.
const (
	exampleID       = "019ad0c2-5e1f-7c3a-9d41-2f6c1b7a0e55"
	exampleVisit    = "5f0a1c8e-6f57-4b0b-8f8a-0d3f5b6f2a11"
	exampleEpoch    = "c41d9a0b7e6f2358"
	exampleDocument = "9c1e0f6b7a2d4c5e8f901234a1b2c3d4e5f60718"
	exampleHash     = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	exampleJWS      = "eyJhbGciOiJFUzI1NiIsImtpZCI6IlQy…" // shortened
)

var exampleTime = time.Date(2026, 11, 29, 7, 31, 5, 250e6, time.UTC)

// Example returns an event of this type as a consumer gets it, with an invented kiosk and
// person. Its JWS is shortened.
func (t Type) Example() ([]byte, error) {
	if t.By == ByHub {
		return ByTheHub(exampleID, t.Name, exampleTime, t.Payload)
	}
	data, err := json.Marshal(t.Payload)
	if err != nil {
		return nil, err
	}
	return Opened{
		Header: Header{
			ID: exampleID, Kiosk: "lobby-7", Epoch: exampleEpoch, Sequence: 42, Type: t.Name, Time: exampleTime,
			BootID: "7d0f4c1e-3a52-4c8e-9b16-5a2f0f6f9c01", Uptime: 26 * time.Hour, ClockTrusted: true,
		},
		Payload: data, JWS: exampleJWS,
	}.Plain()
}
