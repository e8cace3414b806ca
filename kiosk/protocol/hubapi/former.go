package hubapi

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// FormerHeader is the header field of POST /v1/events in which a kiosk sends the certificates
// of its former keys: a list of byte sequences (RFC 9651 §3.3.5), each a certificate in DER.
// The form is that of the field Client-Cert-Chain (RFC 9440 §2.3).
const FormerHeader = "Former-Certificates"

// MaxFormer is how many certificates of former keys a hub accepts.
const MaxFormer = 16

func encodeFormer(certificates [][]byte) string {
	var list []string
	for _, der := range certificates[max(0, len(certificates)-MaxFormer):] {
		list = append(list, ":"+base64.StdEncoding.EncodeToString(der)+":")
	}
	return strings.Join(list, ", ")
}

// DecodeFormer reads a FormerHeader. It does not check the certificates.
func DecodeFormer(header string) (certificates [][]byte, err error) {
	if header == "" {
		return nil, nil
	}
	for item := range strings.SplitSeq(header, ",") {
		text := strings.TrimSpace(item)
		inner := strings.TrimSuffix(strings.TrimPrefix(text, ":"), ":")
		der, err := base64.StdEncoding.DecodeString(inner)
		if err != nil || len(der) == 0 || len(text) != len(inner)+2 {
			return nil, fmt.Errorf("%s is not a list of byte sequences", FormerHeader)
		}
		if certificates = append(certificates, der); len(certificates) > MaxFormer {
			return nil, fmt.Errorf("%s has more than %d certificates", FormerHeader, MaxFormer)
		}
	}
	return certificates, nil
}
