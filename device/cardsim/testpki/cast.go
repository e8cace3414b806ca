package testpki

import "time"

// role is a card's holder and what is special about the card.
type role struct {
	card, about    string
	given, surname string // invented
	number         string // the digits of the subject's serialNumber

	expired  bool // the authentication certificate; the signature one is valid
	revoked  bool // both certificates are on the CRL
	blocked  bool // the PIN has no tries left
	foreign  bool // issued by an untrusted CA, under the policies of Buypass
	hsm      bool // policy for keys that are not on a card
	signOnly bool // only the signature key and certificate
	inactive bool // not activated by its holder yet
	mute     bool // no answer to reset
}

// cast lists the cards of a PKI: one for each kind of problem and one without.
var cast = []role{
	{card: "valid", about: "in order",
		given: "Solveig", surname: "Prøvesen", number: "900000001"},
	{card: "expired", about: "authentication certificate expired yesterday",
		given: "Åse", surname: "Utgåttnes", number: "900000002", expired: true},
	{card: "revoked", about: "both certificates revoked",
		given: "Torbjørn", surname: "Sperredal", number: "900000003", revoked: true},
	{card: "blocked", about: "PIN blocked, no tries left",
		given: "Håkon", surname: "Låsvik", number: "900000004", blocked: true},
	{card: "foreign", about: "issued by a CA outside this PKI, under the same policies",
		given: "Freja", surname: "Prøvegaard", number: "900000005", foreign: true},
	{card: "hsm", about: "policy of keys in an HSM instead of on a card",
		given: "Sigrid", surname: "Skylund", number: "900000006", hsm: true},
	{card: "sign-only", about: "signature key and certificate only",
		given: "Erling", surname: "Signaas", number: "900000007", signOnly: true},
	{card: "inactive", about: "not activated by its holder yet",
		given: "Oddny", surname: "Ventestad", number: "900000009", inactive: true},
	{card: "mute", about: "gives no answer to reset, like a card inserted the wrong way round",
		given: "Tyra", surname: "Tausnes", number: "900000008", mute: true},
}

// person returns the subject of the role's certificates.
func (r role) person() Person {
	return Person{Given: r.given, Surname: r.surname, ID: "UN:NO-9578-4050-" + r.number}
}

// validity returns a period of three years, one of which has passed. For an
// expired certificate it ended a day ago.
func validity(now time.Time, expired bool) (from, until time.Time) {
	until = now.AddDate(2, 0, 0)
	if expired {
		until = now.AddDate(0, 0, -1)
	}
	return until.AddDate(-3, 0, 0), until
}
