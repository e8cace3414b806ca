// Package trust decides whose certificates count: trust domains (issuers,
// policies, purposes, naming of the subject), the rules a certificate has to
// meet, and what is known about its revocation. Hub and kiosk use it alike.
//
// It reads no clock: every judgement is made for the time it is given. Only
// Load and Files read files, and only OCSP uses the network.
//
// # Configuration
//
// Domains are configured in TOML, the most preferred first. Names of files
// are relative to the configuration; keys that do not exist are refused.
//
//	[[domain]]
//	name = "firma"                        # lower-case letters, digits, hyphens
//	anchors = ["root.pem"]                # CAs trusted by themselves, PEM or DER
//	intermediates = ["person-ca.pem"]     # CAs below them
//	policies = ["2.16.578.1.26.1.3.1"]    # one of which a certificate must name; ["any"] asks for none
//	refused_policies = ["2.16.578.1.26.1.3.6"]
//	purposes = ["authenticate"]           # and "sign"; this is the default
//	subject = "buypass"                   # how the holder is named: "buypass", "serial-number", "email"
//	crls = ["person-ca.crl"]              # DER or PEM
//	crl_urls = ["http://crl.example/ca.crl"]  # from where the hub fetches newer ones
//	max_crl_age = "168h"                  # since thisUpdate; by default its nextUpdate alone counts
//	skew = "5m"                           # the allowance for clock skew, see DefaultSkew
//	#revocation = "none"                  # instead of crls and ocsp: nobody says what was revoked
//	[domain.ocsp]                         # empty: ask the responder that the certificate names
//	url = "http://ocsp.example"
//	timeout = "3s"
//	max_age = "24h"                       # since thisUpdate
//	nonce = "required"                    # or "optional"
//
// A ready-made domain is named by its template; what is said beside goes
// before it. The operator puts the CA files in their place.
//
//	[[domain]]
//	template = "buypass"                  # or "buypass-test", "local"
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
