package trust

import (
	"crypto/x509"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"smartkiosk/kiosk"
)

// Subject is the way in which a domain's certificates name their holder.
type Subject string

const (
	// SubjectBuypass uses the subject's serialNumber in one of Buypass's
	// two forms, `UN:NO-9578-4050-<n>` and `9578-4050-<n>`, and converts
	// the second into the first.
	SubjectBuypass Subject = "buypass"
	// SubjectSerialNumber uses the subject's serialNumber unchanged.
	SubjectSerialNumber Subject = "serial-number"
	// SubjectEmail uses the only e-mail address in subjectAltName, in lower
	// case.
	SubjectEmail Subject = "email"
)

var subjects = []Subject{SubjectBuypass, SubjectSerialNumber, SubjectEmail}

func (s Subject) known() bool { return slices.Contains(subjects, s) }

// buypassPrefix is the prefix of identifiers in Buypass's own register. ETSI EN
// 319 412-1 §5.1.3 defines the form `<type>:<country>-<identifier>`.
const buypassPrefix = "UN:NO-9578-4050-"

var (
	buypassNumber = regexp.MustCompile(`^(?:UN:NO-)?9578-4050-([0-9]{1,32})$`)
	plain         = regexp.MustCompile(`^[!-~](?:[ -~]{0,62}[!-~])?$`)
	bareNumber    = regexp.MustCompile(`^[0-9]+$`)
)

// holder returns the holder of cert. An identifier that is not from Buypass
// gets the domain's name as a prefix, so that a company CA cannot issue a
// certificate for a holder of a Buypass card.
func (d *domain) holder(cert *x509.Certificate) (kiosk.Holder, *Refusal) {
	h := kiosk.Holder{Name: PrintableName(cert.Subject.CommonName), Domain: d.Name}
	refuse := func(format string, args ...any) (kiosk.Holder, *Refusal) {
		return kiosk.Holder{}, Refuse(kiosk.Identifier, format, args...)
	}
	switch d.Subject {
	case SubjectBuypass, SubjectSerialNumber:
		numbers := serialNumbers(cert)
		if len(numbers) != 1 || numbers[0] == "" {
			return refuse("the certificate's subject has %d serialNumbers", len(numbers))
		}
		if d.Subject == SubjectSerialNumber {
			if !plain.MatchString(numbers[0]) {
				return refuse("the subject's serialNumber is not 1 to 64 printable ASCII characters")
			}
			h.ID = d.Name + ":" + numbers[0]
			return h, nil
		}
		id, ok := BuypassID(numbers[0])
		switch {
		case ok:
			h.ID = id
		case bareNumber.MatchString(numbers[0]):
			return refuse("the subject's serialNumber is a bare number, as in certificates wrongly issued in 2024")
		default:
			return refuse("the subject's serialNumber has not the form %s<n>", buypassPrefix)
		}
	case SubjectEmail:
		if len(cert.EmailAddresses) != 1 {
			return refuse("the certificate has %d e-mail addresses", len(cert.EmailAddresses))
		}
		if !plain.MatchString(cert.EmailAddresses[0]) {
			return refuse("the e-mail address is not 1 to 64 printable ASCII characters")
		}
		h.ID = d.Name + ":" + strings.ToLower(cert.EmailAddresses[0])
	}
	return h, nil
}

// BuypassID returns the holder's identifier for a serialNumber in one of Buypass's two
// forms. ok is false for any other text, also for a bare number.
func BuypassID(serialNumber string) (id string, ok bool) {
	m := buypassNumber.FindStringSubmatch(serialNumber)
	if m == nil {
		return "", false
	}
	return buypassPrefix + m[1], true
}

// PrintableName returns name without characters that are not printable, such as
// control characters and marks that change the direction of text, because a
// screen or a log might interpret them. It keeps at most 64 characters
// (ub-common-name, RFC 5280 §A.1).
func PrintableName(name string) string {
	var b strings.Builder
	n := 0
	for _, r := range name {
		if n < 64 && unicode.IsPrint(r) && r != unicode.ReplacementChar {
			b.WriteRune(r)
			n++
		}
	}
	return b.String()
}

// serialNumbers returns every serialNumber (2.5.4.5) of the subject. The field
// SerialNumber of crypto/x509 contains only the last one.
func serialNumbers(cert *x509.Certificate) (all []string) {
	for _, a := range cert.Subject.Names {
		if a.Type.String() == "2.5.4.5" {
			s, _ := a.Value.(string)
			all = append(all, s)
		}
	}
	return all
}
