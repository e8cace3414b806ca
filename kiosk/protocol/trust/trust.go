// Package trust decides which certificates are accepted. It contains the trust
// domains (issuers, policies, purposes, naming of the subject), the rules for
// certificates, and the checks for revocation. Hub and kiosk both use it.
//
// The package reads no clock: the caller passes the time for each check. Only
// Load, Files and ReadCertificates read files, and only OCSP uses the network.
//
// # Configuration
//
// Domains are configured in TOML, the most preferred first. File names are
// relative to the configuration. An unknown key is an error.
//
//	[[domain]]
//	name = "firma"                        # lower-case letters, digits, hyphens
//	anchors = ["root.pem"]                # CAs at which a path may end, PEM or DER
//	intermediates = ["person-ca.pem"]     # CAs below them
//	policies = ["2.16.578.1.26.1.3.1"]    # a certificate must name one of them; ["any"]: it needs none
//	refused_policies = ["2.16.578.1.26.1.3.6"]
//	purposes = ["authenticate"]           # or "sign", or both; "authenticate" by default
//	subject = "buypass"                   # how the holder is named: "buypass", "serial-number", "email"
//	crls = ["person-ca.crl"]              # DER or PEM
//	crl_urls = ["http://crl.example/ca.crl"]  # where the hub downloads newer ones
//	max_crl_age = "168h"                  # since thisUpdate; by default only nextUpdate limits the age
//	skew = "5m"                           # the allowance for clock skew, see DefaultSkew
//	#revocation = "none"                  # instead of crls, crl_urls and ocsp: the issuers publish no revocations
//	[domain.ocsp]                         # empty: ask the responder that the certificate names
//	url = "http://ocsp.example"
//	timeout = "3s"
//	max_age = "24h"                       # since thisUpdate
//	nonce = "required"                    # or "optional"
//
// A template is a predefined domain. Other keys in the same table override its
// values. The operator adds the CA files.
//
//	[[domain]]
//	template = "buypass"                  # or "buypass-test", "local"
package trust

import (
	"fmt"
	"regexp"

	"smartkiosk/kiosk"
)

// Refusal is the reason why a certificate, or the token that contains it, is
// not accepted. Reason is for programs and screens, Err is for the log of a
// technician. The text of Err contains no personal data.
type Refusal struct {
	Reason kiosk.Reason
	Err    error
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s: %v", r.Reason, r.Err) }

// Unwrap returns Err, which has the text without the reason.
func (r *Refusal) Unwrap() error { return r.Err }

// Refuse returns a Refusal. format and args are those of fmt.Errorf.
func Refuse(reason kiosk.Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// quoted matches a quoted string in an error text, unless it consists of digits
// and dots like an object identifier.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*[^0-9."](?:[^"\\]|\\.)*"`)

// withoutNames returns the text of an error of crypto/x509 in which quoted
// parts of a certificate, such as a person's e-mail address, are replaced.
func withoutNames(err error) string { return quoted.ReplaceAllString(err.Error(), `"…"`) }

// Purpose is what a certificate is used for.
type Purpose string

const (
	Authenticate Purpose = "authenticate" // prove the identity of the holder; key usage digitalSignature
	Sign         Purpose = "sign"         // sign a document; key usage nonRepudiation
)
