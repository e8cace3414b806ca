//go:build linux

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/smartkort"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
)

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// applyTrust checks each certificate against the trust domains and finds the
// certificate that a kiosk would use.
func (r *cardReport) applyTrust(domains *trust.Domains, d smartkort.Description, at time.Time) {
	var der, authorities [][]byte
	for _, a := range d.Authorities {
		authorities = append(authorities, a.DER)
	}
	for i, c := range d.Certificates {
		der = append(der, c.DER)
		parsed, err := trust.ParseCertificate(c.DER)
		if err != nil {
			r.Certificates[i].Verdict = "refused: " + err.Error()
			continue
		}
		holder, err := domains.Check(parsed, trust.Authenticate, at)
		if err != nil {
			r.Certificates[i].Verdict = "refused: " + err.Error()
			continue
		}
		r.Certificates[i].Verdict = "accepted by domain " + holder.Domain
	}
	choice, err := domains.Choose(der, at, authorities...)
	if refusal := (*trust.Refusal)(nil); errors.As(err, &refusal) {
		r.Choice = &choiceReport{Why: fmt.Sprintf("no certificate is accepted; the closest one: %v", refusal)}
		return
	} else if err != nil {
		r.Choice = &choiceReport{Why: err.Error()}
		return
	}
	r.Choice = &choiceReport{
		ID:  r.Certificates[choice.Index].ID,
		Why: fmt.Sprintf("%s is the first domain that accepts one, and this one is valid longest (until %s)", choice.Holder.Domain, choice.Certificate.NotAfter.Format(time.DateOnly)),
	}
}

// advise lists what is wrong with the card and what its holder should do.
func (r *cardReport) advise(at time.Time) {
	say := func(format string, args ...any) { r.Advice = append(r.Advice, fmt.Sprintf(format, args...)) }
	for _, p := range r.PINs {
		switch {
		case p.Inactive:
			say("%q is not active: the holder activates the card, on its issuer's own page, and chooses a PIN there", p.Label)
		case p.Tries == nil && p.Answer == apdu.ReferenceNotUsable.String() && !p.Unblocks:
			say("%q cannot be used as it is: if the card is new, its holder activates it first, on its issuer's own page", p.Label)
		case p.Unset && !p.Unblocks:
			say("%q: the card accepts every command without it, probably because no PIN is set: the holder sets one", p.Label)
		case p.Tries == nil || *p.Tries > 1:
		case *p.Tries == 1 && !p.Unblocks:
			say("%q has one try left: the holder should be sure of it before typing it again", p.Label)
		case *p.Tries == 0 && p.Unblocks:
			say("%q is blocked: the PIN can never be unblocked again, the holder needs a new card", p.Label)
		case *p.Tries == 0 && p.CanUnblock:
			say("%q is blocked: the holder unblocks it with the PUK, at the card's issuer or with \"kioskctl card pin unblock\"", p.Label)
		case *p.Tries == 0:
			say("%q is blocked: the holder unblocks it with the PUK, at the card's issuer: kioskctl cannot do it for this card", p.Label)
		}
	}
	usable := 0
	for _, c := range r.Certificates {
		switch {
		case c.Problem != "":
			say("certificate %q cannot be read: the holder should show the card to its issuer", c.Label)
		case at.After(c.NotAfter):
			say("certificate %q expired on %s: the holder needs a new card", c.Label, c.NotAfter.Format(time.DateOnly))
		case strings.HasPrefix(c.Verdict, "refused: "+string(kiosk.Revoked)):
			say("certificate %q is revoked: the holder needs a new card", c.Label)
		case at.Before(c.NotBefore):
			say("certificate %q is not valid before %s: is this machine's clock right?", c.Label, c.NotBefore.Format(time.DateOnly))
		}
		if len(c.Usage) > 0 && c.Usage[0] == "digitalSignature" {
			usable++
		}
	}
	if usable == 0 {
		say("no certificate is for authentication: the holder cannot log in with this card")
	}
}

// conclude sets the verdict.
func (r *cardReport) conclude() {
	switch {
	case r.Signing != nil && r.Signing.Error != "":
		r.Verdict = "the card did not sign: " + r.Signing.Error
	case r.Choice == nil && len(r.Advice) == 0 && r.Signing != nil:
		r.Verdict = "the card signs; --trust FILE tells whether a kiosk accepts it"
	case r.Choice == nil && len(r.Advice) == 0:
		r.Verdict = "no fault found; --sign proves that the card signs, and --trust FILE tells whether a kiosk accepts it"
	case r.Choice == nil:
		r.Verdict = "something is wrong"
	case r.Choice.ID == "":
		r.Verdict = "no kiosk with these trust domains accepts this card"
	default:
		r.Verdict = r.outcome()
	}
}

// outcome returns the verdict for a card with a chosen certificate.
func (r *cardReport) outcome() string {
	i := slices.IndexFunc(r.Certificates, func(c certificateReport) bool { return c.ID == r.Choice.ID })
	chosen := r.Certificates[i]
	would := fmt.Sprintf("a kiosk with these trust domains would use certificate %q (ID %s) of %s", chosen.Label, chosen.ID, chosen.Subject)
	if why, refused := strings.CutPrefix(chosen.Verdict, "refused: "); refused {
		return would + ", but refuse it: " + why
	}
	k := slices.IndexFunc(r.Keys, func(k keyReport) bool { return k.ID == chosen.ID })
	if p := r.pin(r.Keys[k]); p != nil && (p.Inactive || p.Tries != nil && *p.Tries == 0) {
		return fmt.Sprintf("%s, but %q is %s", would, p.Label, p.state())
	}
	if len(r.Advice) > 0 {
		return would + ", but something is wrong"
	}
	if r.Signing == nil {
		return would + "; whether the card signs is not proven: run kioskctl card --sign"
	}
	return "in order: the card signs, and " + would
}
