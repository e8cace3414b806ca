package devicekey

import "time"

// Status describes a kiosk's certificate for technicians. It is the answer of kioskd to
// GET /v1/identity on its local socket.
type Status struct {
	Kiosk     string    `json:"kiosk"`
	Hub       string    `json:"hub"` // URL
	Serial    string    `json:"serial"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	RenewAt   time.Time `json:"renew_at"`
	Failure   string    `json:"failure,omitempty"` // of the last attempt to renew
	Twin      string    `json:"twin,omitempty"`    // address of a second machine with this identity
	Mark      string    `json:"mark,omitempty"`    // in the corner of the panel
}
