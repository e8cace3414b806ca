package testpki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"smartkiosk/device/cardsim"
)

// LongPIN is the PIN of six digits on cards that need one: for signatures on the
// cards two-pin, esteid and fineid, and for all keys on the cards t1 and piv. All
// other PINs are PIN.
const LongPIN = "123456"

// Kind is a valid card of another kind than the Smartkort, and its content.
type Kind struct {
	Person       Person
	About        string // what is special about its kind, in a few words
	Card         *cardsim.Card
	Certificates map[string]*x509.Certificate // by the names of cardsim's keys
}

// kindRole is the holder of a card of a kind, and its keys with their sizes.
type kindRole struct {
	card, about    string
	given, surname string // invented
	number         string
	keys           map[string]int
}

var kindCast = []kindRole{
	{card: cardsim.TwoPIN, about: "two PINs, P-256 and P-384, chained RSA, user consent",
		given: "Ragnhild", surname: "Tokode", number: "900000011",
		keys: map[string]int{authentication: 256, signature: 384, authentication + "-rsa": 2048}},
	{card: cardsim.NoAID, about: "no AID, 3F00/5015 only",
		given: "Eirik", surname: "Navnløs", number: "900000012",
		keys: map[string]int{authentication: 2048, signature: 2048}},
	{card: cardsim.Applet, about: "behind an applet's AID, PINs of 16 bytes",
		given: "Ingrid", surname: "Programvik", number: "900000013",
		keys: map[string]int{authentication: 2048, signature: 256}},
	{card: cardsim.T1, about: "T=1, extended length, RSA 3072",
		given: "Bjørnar", surname: "Blokkstad", number: "900000014",
		keys: map[string]int{authentication: 3072, signature: 3072}},
	{card: cardsim.IsoApplet, about: "IsoApplet, algorithms not described",
		given: "Yngve", surname: "Tausvik", number: "900000016",
		keys: map[string]int{authentication: 2048, signature: 256}},
	{card: cardsim.OsEID, about: "OsEID and MyEID, keys are files",
		given: "Gudrun", surname: "Filnes", number: "900000017",
		keys: map[string]int{authentication: 2048, signature: 256}},
	{card: cardsim.PIV, about: "PIV, data objects instead of files",
		given: "Sindre", surname: "Føderal", number: "900000018",
		keys: map[string]int{authentication: 2048, signature: 256}},
	{card: cardsim.EstEID, about: "Estonian identity card of 2018",
		given: "Maarja", surname: "Näidis", number: "900000019",
		keys: map[string]int{authentication: 384, signature: 384}},
	{card: cardsim.FinEID, about: "Finnish identity card of version 4",
		given: "Aino", surname: "Esimerkki", number: "900000020",
		keys: map[string]int{authentication: 384, signature: 384}},
	{card: cardsim.Mixed, about: "company certificates before the qualified ones",
		given: "Wenche", surname: "Blandvoll", number: "900000015",
		keys: map[string]int{company + authentication: 2048, company + signature: 2048, authentication: 2048, signature: 2048}},
}

// Names of keys and parts of names.
const (
	authentication = "authentication"
	signature      = "signature"
	company        = "company-"
)

// policyCompany is a policy of the company's own, in the arc for examples
// (ITU-T X.660, 2.999).
var policyCompany = oid(2, 999, 1)

// Kinds makes one card of each kind in cardsim other than the Smartkort. All
// have trusted certificates in the profile of Buypass, except for their keys.
// The company's certificates on the card mixed are issued by a CA of the
// company. Each call issues new certificates.
func (p *PKI) Kinds() (map[string]Kind, error) {
	made := make(map[string]Kind)
	for _, r := range kindCast {
		k, err := p.kind(r)
		if err != nil {
			return nil, fmt.Errorf("cannot make card %s: %w", r.card, err)
		}
		made[r.card] = k
	}
	return made, nil
}

func (p *PKI) kind(r kindRole) (Kind, error) {
	k := Kind{
		Person:       Person{Given: r.given, Surname: r.surname, ID: "UN:NO-9578-4050-" + r.number},
		About:        r.about,
		Certificates: make(map[string]*x509.Certificate),
	}
	serial, err := hex.DecodeString("9578405" + r.number)
	if err != nil {
		return k, err
	}
	from, until := validity(p.now, false)
	image := cardsim.Image{
		Kind:        r.card,
		Serial:      serial,
		Updated:     from,
		PINs:        map[string]cardsim.PIN{"pin": {Value: []byte(PIN), Left: Tries}, "puk": {Value: []byte(PUK), Left: Tries}},
		Keys:        make(map[string]cardsim.Key),
		Authorities: [][]byte{p.PersonCA.Raw},
	}
	switch r.card {
	case cardsim.TwoPIN, cardsim.EstEID, cardsim.FinEID:
		image.PINs["signature-pin"] = cardsim.PIN{Value: []byte(LongPIN), Left: Tries}
	case cardsim.T1, cardsim.PIV:
		image.PINs["pin"] = cardsim.PIN{Value: []byte(LongPIN), Left: Tries}
	case cardsim.Mixed:
		ca, err := p.companyCA()
		if err != nil {
			return k, err
		}
		image.Authorities = append(image.Authorities, ca.Raw)
	}
	for _, name := range slices.Sorted(maps.Keys(r.keys)) {
		key := p.keys[r.card+" "+name]
		var certificate *x509.Certificate
		switch name {
		case signature:
			certificate, err = p.Issue(Signature(k.Person, from, until), key.Public())
		case company + authentication, company + signature:
			certificate, err = p.issueCompany(k.Person, name, from, until)
		default:
			template := Authentication(k.Person, from, until)
			if r.keys[name] < 2048 { // no key to encipher another with
				template.KeyUsage = x509.KeyUsageDigitalSignature
			}
			certificate, err = p.Issue(template, key.Public())
		}
		if err != nil {
			return k, err
		}
		k.Certificates[name] = certificate
		image.Keys[name] = cardsim.Key{Private: key, Certificate: certificate.Raw}
	}
	k.Card, err = cardsim.New(image)
	return k, err
}

// companyCA is a self-signed authority of a company.
func (p *PKI) companyCA() (*x509.Certificate, error) {
	template := authority(companyName(attribute(oidCommonName, "Prøvebedriften Test CA")), p.now.AddDate(-2, 0, 0), p.now.AddDate(8, 0, 0))
	template.SignatureAlgorithm = x509.ECDSAWithSHA256
	key := p.keys["company-ca"]
	return issue(template, template, key.Public(), key)
}

// issueCompany makes a typical company certificate: the serialNumber is an
// employee number, and the one for signatures has both key usages.
func (p *PKI) issueCompany(holder Person, name string, from, until time.Time) (*x509.Certificate, error) {
	ca, err := p.companyCA()
	if err != nil {
		return nil, err
	}
	usage := x509.KeyUsageDigitalSignature
	if name == company+signature {
		usage |= x509.KeyUsageContentCommitment
	}
	return issue(&x509.Certificate{
		SignatureAlgorithm:    x509.ECDSAWithSHA256,
		Subject:               companyName(attribute(oidCommonName, holder.Name()), attribute(oidSerialNumber, "ansatt-17")),
		NotBefore:             from,
		NotAfter:              until,
		KeyUsage:              usage,
		Policies:              []x509.OID{policyCompany},
		BasicConstraintsValid: true,
	}, ca, p.keys[cardsim.Mixed+" "+name].Public(), p.keys["company-ca"])
}

func companyName(attributes ...pkix.AttributeTypeAndValue) pkix.Name {
	return name(append([]pkix.AttributeTypeAndValue{attribute(oidCountry, "NO"), attribute(oidOrganization, "Prøvebedriften Test AS")}, attributes...)...)
}
