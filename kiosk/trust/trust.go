// Package trust decides whose certificates count: trust domains (issuers,
// policies, purposes, naming of the subject), the rules a certificate has to
// meet, and what is known about its revocation. Hub and kiosk use it alike.
//
// It reads no clock: every judgement is made for the time it is given. Only
// Load reads files.
package trust

import (
	"fmt"
	"regexp"

	"smartkiosk/kiosk"
)

// Refusal is why a certificate, or the token that carries it, does not count:
// a code for machines and screens, and words for the log of a technician.
// The words hold no personal data.
type Refusal struct {
	Reason kiosk.Reason
	Err    error
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s: %v", r.Reason, r.Err) }

// Unwrap gives the words without the code.
func (r *Refusal) Unwrap() error { return r.Err }

// Refuse makes a Refusal; format and args are as for fmt.Errorf.
func Refuse(reason kiosk.Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// quoted is what an error quotes, but for object identifiers.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*[^0-9."](?:[^"\\]|\\.)*"`)

// withoutNames gives the words of an error of crypto/x509 without what it
// quotes of a certificate, such as a person's e-mail address.
func withoutNames(err error) string { return quoted.ReplaceAllString(err.Error(), `"…"`) }

// Purpose is what a certificate is to be used for.
type Purpose string

const (
	Authenticate Purpose = "authenticate" // prove who is there: digitalSignature
	Sign         Purpose = "sign"         // sign a document: nonRepudiation
)
