// Package testpki makes a public key infrastructure like that of Buypass, down
// to the certificate profile, with software Smartkorts: one valid card and one
// card for each kind of problem.
//
// Common names, policies and the form of serial numbers are those of the real
// test hierarchy. Organisation, host names and people are invented, so that its
// certificates cannot be mistaken for real ones.
package testpki

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"

	"smartkiosk/device/cardsim"
)

// PIN and PUK of every card, and the initial number of tries.
const (
	PIN   = "1234"
	PUK   = "12345678"
	Tries = 3
)

// PKI is two hierarchies, a trusted one and a foreign one, and their cards.
type PKI struct {
	Root, PersonCA       *x509.Certificate
	RootKey, PersonCAKey crypto.Signer

	// The foreign hierarchy issues under the same policies.
	ForeignRoot, ForeignCA *x509.Certificate
	ForeignCAKey           crypto.Signer

	// Responder answers OCSP in PersonCA's name.
	Responder    *x509.Certificate
	ResponderKey crypto.Signer

	CRL []byte // PersonCA's, DER, valid for 30 days

	// Cards and Holders by name: valid, expired, revoked, blocked, foreign,
	// hsm, sign-only, inactive, mute.
	Cards   map[string]*cardsim.Card
	Holders map[string]Holder

	keys keys
	now  time.Time
}

// Holder is a card's holder and the content of the card.
type Holder struct {
	Person         Person
	About          string     // what is special about the card, in a few words
	Authentication Credential // zero on the card sign-only
	Signature      Credential
}

// Credential is a certificate with its key.
type Credential struct {
	Certificate *x509.Certificate
	Key         *rsa.PrivateKey
}

// New makes a PKI for the time now. Its private keys are part of this package
// and always the same, which makes it fast. Use it only for tests and for
// services that listen on this machine alone.
func New(now time.Time) (*PKI, error) {
	k, err := published()
	if err != nil {
		return nil, err
	}
	return build(k, now)
}

// Mint makes a PKI like New, but with new secret keys. It takes some seconds.
func Mint(now time.Time) (*PKI, error) {
	k, err := generate()
	if err != nil {
		return nil, err
	}
	return build(k, now)
}

// build issues everything from the keys.
func build(k keys, now time.Time) (*PKI, error) {
	now = now.UTC().Truncate(time.Second)
	p := &PKI{
		keys: k, now: now,
		RootKey: k["root"], PersonCAKey: k["person-ca"], ForeignCAKey: k["foreign-ca"], ResponderKey: k["ocsp"],
		Cards: make(map[string]*cardsim.Card), Holders: make(map[string]Holder),
	}
	from, until := now.AddDate(-6, 0, 0), now.AddDate(14, 0, 0)
	personCA := authority(issuer("Buypass Class 3 Test4 CA G2 HT Person"), from, until)
	personCA.MaxPathLenZero = true
	foreignCA := authority(foreignIssuer("Fremmed Test CA Person"), from, until)
	for _, step := range []struct {
		made     **x509.Certificate
		template *x509.Certificate
		key      crypto.Signer
		parent   **x509.Certificate
		signer   crypto.Signer
	}{
		{&p.Root, authority(issuer("Buypass Class 3 Test4 Root CA G2 HT"), from, until), k["root"], nil, k["root"]},
		{&p.PersonCA, personCA, k["person-ca"], &p.Root, k["root"]},
		{&p.Responder, responder(issuer("Buypass Class 3 Test4 OCSP Person"), now.AddDate(0, -1, 0), now.AddDate(1, 0, 0)), k["ocsp"], &p.PersonCA, k["person-ca"]},
		{&p.ForeignRoot, authority(foreignIssuer("Fremmed Test Root CA"), from, until), k["foreign-root"], nil, k["foreign-root"]},
		{&p.ForeignCA, foreignCA, k["foreign-ca"], &p.ForeignRoot, k["foreign-root"]},
	} {
		parent := step.template
		if step.parent != nil {
			parent = *step.parent
		}
		var err error
		if *step.made, err = issue(step.template, parent, step.key.Public(), step.signer); err != nil {
			return nil, err
		}
	}
	var revoked []*x509.Certificate
	for _, r := range cast {
		h, err := p.enrol(r, k, now)
		if err != nil {
			return nil, err
		}
		if p.Holders[r.card] = h; r.revoked {
			revoked = append(revoked, h.Authentication.Certificate, h.Signature.Certificate)
		}
		if p.Cards[r.card], err = p.personalise(r, h); err != nil {
			return nil, err
		}
	}
	var err error
	p.CRL, err = p.NewCRL(1, now.Add(-time.Hour), now.AddDate(0, 0, 30), revoked...)
	return p, err
}

func foreignIssuer(commonName string) pkix.Name {
	return name(
		attribute(oidCountry, "NO"),
		attribute(oidOrgID, "NTRNO-000000001"),
		attribute(oidOrganization, "Fremmed Test"),
		attribute(oidCommonName, commonName),
	)
}

// enrol issues the certificates of one holder.
func (p *PKI) enrol(r role, k keys, now time.Time) (Holder, error) {
	h := Holder{Person: r.person(), About: r.about}
	ca, signer := p.PersonCA, p.PersonCAKey
	if r.foreign {
		ca, signer = p.ForeignCA, p.ForeignCAKey
	}
	credential := func(template *x509.Certificate, key *rsa.PrivateKey) (Credential, error) {
		if r.hsm {
			template.Policies[0] = PolicyHSM
		}
		certificate, err := issue(template, ca, key.Public(), signer)
		return Credential{Certificate: certificate, Key: key}, err
	}
	from, until := validity(now, false)
	var err error
	if h.Signature, err = credential(Signature(h.Person, from, until), k.rsa(r.card+" signature")); err != nil || r.signOnly {
		return h, err
	}
	from, until = validity(now, r.expired)
	h.Authentication, err = credential(Authentication(h.Person, from, until), k.rsa(r.card+" authentication"))
	return h, err
}

// personalise makes a card with a holder's keys and certificates.
func (p *PKI) personalise(r role, h Holder) (*cardsim.Card, error) {
	serial, err := hex.DecodeString("9578405" + r.number)
	if err != nil {
		return nil, err
	}
	ca := p.PersonCA
	if r.foreign {
		ca = p.ForeignCA
	}
	image := cardsim.Image{
		Kind:     cardsim.Smartkort,
		Serial:   serial,
		Updated:  h.Signature.Certificate.NotBefore,
		Mute:     r.mute,
		Inactive: r.inactive,
		PINs: map[string]cardsim.PIN{
			"pin": {Value: []byte(PIN), Left: Tries},
			"puk": {Value: []byte(PUK), Left: Tries},
		},
		Keys:        map[string]cardsim.Key{"signature": {Private: h.Signature.Key, Certificate: h.Signature.Certificate.Raw}},
		Authorities: [][]byte{ca.Raw},
	}
	if !r.signOnly {
		image.Keys["authentication"] = cardsim.Key{Private: h.Authentication.Key, Certificate: h.Authentication.Certificate.Raw}
	}
	if r.blocked {
		image.PINs["pin"] = cardsim.PIN{Value: []byte(PIN)}
	}
	return cardsim.New(image)
}

// Issue makes a certificate from a template (see Authentication and Signature)
// and a public key, issued by PersonCA. If the template has no serial number,
// the certificate gets a random one.
func (p *PKI) Issue(template *x509.Certificate, public crypto.PublicKey) (*x509.Certificate, error) {
	return issue(template, p.PersonCA, public, p.PersonCAKey)
}

func issue(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, fmt.Errorf("cannot issue certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// NewCRL makes a CRL of PersonCA in DER. The certificates were revoked one hour
// before thisUpdate.
func (p *PKI) NewCRL(number int64, thisUpdate, nextUpdate time.Time, revoked ...*x509.Certificate) ([]byte, error) {
	list := &x509.RevocationList{
		SignatureAlgorithm: x509.SHA256WithRSA,
		Number:             big.NewInt(number),
		ThisUpdate:         thisUpdate,
		NextUpdate:         nextUpdate,
	}
	for _, certificate := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber:   certificate.SerialNumber,
			RevocationTime: thisUpdate.Add(-time.Hour),
			ReasonCode:     1, // keyCompromise (RFC 5280 §5.3.1)
		})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, p.PersonCA, p.PersonCAKey)
	if err != nil {
		return nil, fmt.Errorf("cannot make CRL: %w", err)
	}
	return der, nil
}
