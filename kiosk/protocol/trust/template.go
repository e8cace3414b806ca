package trust

import (
	"fmt"
	"slices"
	"strings"
)

// template is a predefined domain. A configuration selects it with `template =
// "…"`. Values in the configuration override those of the template.
type template struct {
	entry  entry
	source string // which CA certificates it needs and where to get them
}

// templates are the predefined domains by name. They contain no CA
// certificates: the operator decides whom to trust and downloads the files.
var templates = map[string]template{
	"buypass": {
		entry: entry{
			Name:            "buypass",
			Anchors:         []string{"BPCl3RootCaG2HT.cer"},
			Intermediates:   []string{"BPCl3CaG2HTPS.cer"},
			Policies:        []string{buypassCard},
			RefusedPolicies: []string{buypassHSM},
			Purposes:        []Purpose{Authenticate, Sign},
			Subject:         SubjectBuypass,
			MaxCRLAge:       buypassMaxCRLAge,
			OCSP:            &ocspEntry{URL: "http://ocspps.buypassca.com"},
			CRLURLs:         []string{"http://crl.buypassca.com/BPCl3CaG2HTPS.crl"},
		},
		source: "Buypass Class 3 Root CA G2 HT and Buypass Class 3 CA G2 HT Person, from https://www.buypass.com/security/buypass-root-certificates" +
			" or http://crt.buypassca.com/; compare their fingerprints with those that Buypass publishes",
	},
	"buypass-test": {
		entry: entry{
			Name:            "buypass-test",
			Anchors:         []string{"BPCl3RootCaG2HT-test4.cer"},
			Intermediates:   []string{"BPCl3CaG2HTPS-test4.cer"},
			Policies:        []string{buypassCard},
			RefusedPolicies: []string{buypassHSM},
			Purposes:        []Purpose{Authenticate, Sign},
			Subject:         SubjectBuypass,
			MaxCRLAge:       buypassMaxCRLAge,
			OCSP:            &ocspEntry{},
			CRLURLs:         []string{"http://crl.test4.buypassca.com/BPCl3CaG2HTPS.crl"},
		},
		source: "Buypass Class 3 Test4 Root CA G2 HT and Buypass Class 3 Test4 CA G2 HT Person, from http://crt.test4.buypassca.com/" +
			" (there without -test4 in the name) or with the test cards",
	},
	"local": {
		entry: entry{
			Name:     "local",
			Anchors:  []string{"local-ca.pem"},
			Policies: []string{AnyPolicy},
			Subject:  SubjectSerialNumber,
			CRLs:     []string{"local-ca.crl"},
		},
		source: "the CA of the company whose certificates are on the card; ask the operator of that CA for it",
	},
}

// The policies of Buypass, which say what kind of device holds a person's key.
const (
	buypassCard = "2.16.578.1.26.1.3.1"
	buypassHSM  = "2.16.578.1.26.1.3.6"
)

// buypassMaxCRLAge limits the age of Buypass's CRLs, because some of them have
// a nextUpdate in the year 9999.
const buypassMaxCRLAge = duration(7 * 24 * 3600e9)

// fill returns e with the template's value for each field that e does not set.
func (e entry) fill() (entry, error) {
	if e.Template == "" {
		return e, nil
	}
	t, ok := templates[e.Template]
	if !ok {
		var names []string
		for name := range templates {
			names = append(names, name)
		}
		slices.Sort(names)
		return e, fmt.Errorf("template %q does not exist: there are %s", e.Template, strings.Join(names, ", "))
	}
	own := e
	e = t.entry
	e.Template = own.Template
	set(&e.Name, own.Name)
	set(&e.Subject, own.Subject)
	set(&e.MaxCRLAge, own.MaxCRLAge)
	set(&e.Skew, own.Skew)
	set(&e.Revocation, own.Revocation)
	set(&e.OCSP, own.OCSP)
	setList(&e.Anchors, own.Anchors)
	setList(&e.Intermediates, own.Intermediates)
	setList(&e.Policies, own.Policies)
	setList(&e.RefusedPolicies, own.RefusedPolicies)
	setList(&e.Purposes, own.Purposes)
	setList(&e.CRLs, own.CRLs)
	setList(&e.CRLURLs, own.CRLURLs)
	if own.Revocation != "" {
		e.OCSP, e.CRLs, e.CRLURLs = own.OCSP, own.CRLs, own.CRLURLs
	}
	return e, nil
}

func set[T comparable](to *T, value T) {
	var nothing T
	if value != nothing {
		*to = value
	}
}

func setList[T any](to *[]T, value []T) {
	if value != nil {
		*to = value
	}
}
