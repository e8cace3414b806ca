package offline

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/protocol/webeid"
)

// Clock returns the time at which tokens and certificates are judged (kiosk/clock).
type Clock interface {
	At() time.Time
	Behind() bool
}

// Config holds the rules by which a Decider decides, until Set replaces them.
type Config struct {
	Domains  *trust.Domains
	Rules    hubpolicy.OfflineRules
	Version  string    // of the rules; "" for the kiosk's own
	Until    time.Time // when the rules expire; after it the kiosk denies everybody; zero for never
	Holders  hubpolicy.HolderKeys
	Deny     []hubpolicy.DenyRule
	Warnings []hubpolicy.Warning // where Rules is wider than the hub's own rules
}

// Decider decides in place of the hub while no hub can be reached. Its methods may be
// called from any goroutine.
type Decider struct {
	origin string
	clock  Clock
	memory *Memory
	log    *slog.Logger
	hashes hashes

	mu     sync.Mutex
	config Config
}

// NewDecider returns a Decider for tokens that were made for origin, the hub's URL.
func NewDecider(origin string, c Clock, m *Memory, s Config, log *slog.Logger) *Decider {
	return &Decider{origin: origin, clock: c, memory: m, config: s, log: log}
}

// Set replaces the Decider's configuration.
func (d *Decider) Set(s Config) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.config = s
}

// Config returns the configuration in use.
func (d *Decider) Config() Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config
}

// Choose picks the certificate of a card to authenticate with; see
// trust.Domains.Choose.
func (d *Decider) Choose(certs [][]byte, authorities ...[]byte) (trust.Choice, error) {
	return d.Config().Domains.Choose(certs, d.clock.At(), authorities...)
}

// ChooseSignature picks the certificate of a card for signatures of documents.
func (d *Decider) ChooseSignature(certs [][]byte) (trust.Choice, error) {
	return d.Config().Domains.ChooseFor(trust.Sign, certs, d.clock.At())
}

// RecordGrant remembers that the hub granted a holder access. It stores this only if
// the rule is hubpolicy.Known.
func (d *Decider) RecordGrant(h kiosk.Holder) {
	s := d.Config()
	if s.Rules.Rule != hubpolicy.Known {
		return
	}
	day := hubpolicy.Day(d.clock.At())
	pseudonym := s.Holders.Pseudonym(d.hashes.of(s.Holders.Salt, h.ID, day).In(h.Domain))
	if err := d.memory.AddKnown(map[string]int64{string(pseudonym): day}); err != nil {
		d.log.Error("cannot remember who was let in", "err", err)
	}
}

// Prepare computes what Decide needs to know about a holder. The caller uses the time in
// which the card signs.
func (d *Decider) Prepare(h kiosk.Holder) {
	if s := d.Config(); s.identifies() {
		d.hashes.of(s.Holders.Salt, h.ID, hubpolicy.Day(d.clock.At()))
	}
}

// identifies reports whether the rules depend on who the holder is.
func (s Config) identifies() bool {
	return s.Rules.Rule == hubpolicy.Known || s.Rules.Rule == hubpolicy.Trusted && (s.Rules.PerHolder > 0 || hubpolicy.DenyHolders(s.Deny))
}

// Decide returns the verdict on a token over a nonce, by the rules. visit appears only
// in the log.
func (d *Decider) Decide(ctx context.Context, visit string, token []byte, nonce string) kiosk.Verdict {
	s, at := d.Config(), d.clock.At()
	v := kiosk.Verdict{Offline: true, Basis: kiosk.Basis{Rules: s.Version}}
	switch {
	case s.Rules.Rule == hubpolicy.Never:
		v.Reason = kiosk.OfflineNever
	case !s.Until.IsZero() && at.After(s.Until.Add(trust.DefaultSkew)):
		v.Reason = kiosk.OfflineExpired
	case s.Rules.UntrustedClock != hubpolicy.Allow && d.clock.Behind():
		v.Reason = kiosk.ClockUntrusted
	default:
		v.Basis.Time = at
		err := d.decide(ctx, s, at, token, nonce, &v)
		if refusal, ok := errors.AsType[*trust.Refusal](err); ok {
			v.Reason = refusal.Reason
			d.log.Info("refused offline", "visit", visit, "reason", refusal.Reason, "err", refusal.Err)
		} else if err != nil {
			v.Reason = kiosk.Internal
			d.log.Error("cannot judge", "visit", visit, "err", err)
		}
	}
	v.Granted = v.Reason == ""
	return v
}

func (d *Decider) decide(ctx context.Context, s Config, at time.Time, token []byte, nonce string, v *kiosk.Verdict) error {
	validator := webeid.Validator{Origin: d.origin, Domains: s.Domains}
	proof, err := validator.Prove(ctx, token, nonce, at, at)
	if err != nil {
		return err
	}
	v.Holder = proof.Holder
	if proof.CRL != nil && proof.CRL.Number != nil {
		v.Basis.CRL = proof.CRL.Number.String()
	}
	var holder []byte // pseudonym
	var denied string
	day := hubpolicy.Day(at)
	if s.identifies() {
		hash := d.hashes.of(s.Holders.Salt, proof.Holder.ID, day)
		holder, denied = s.Holders.Pseudonym(hash.In(proof.Holder.Domain)), s.Holders.Denied(hash)
	}
	if rule := hubpolicy.Denies(s.Deny, denied, proof.Holder.Domain, at); rule != nil {
		return trust.Refuse(kiosk.RuleDenied, "deny rule %q of the hub applies", rule.Name)
	}
	switch s.Rules.Rule {
	case hubpolicy.Known:
		last, err := d.memory.Known(holder)
		if err != nil {
			return err
		}
		if last < day-int64(s.Rules.KnownDays) || last == 0 {
			return trust.Refuse(kiosk.OfflineUnknown, "the hub has not let the holder in within %d days", s.Rules.KnownDays)
		}
	case hubpolicy.Trusted:
		if err := checkCRL(s.Rules, proof, at); err != nil {
			return err
		}
	default:
		return trust.Refuse(kiosk.OfflineNever, "rule %q is not known", s.Rules.Rule)
	}
	ok, err := d.memory.CountGrant(holder, day, s.Rules.PerHolder, s.Rules.PerKiosk)
	if err == nil && !ok {
		err = trust.Refuse(kiosk.OfflineLimit, "at most %d times a day one holder, and %d times all holders, are let in without the hub (0 for any number)", s.Rules.PerHolder, s.Rules.PerKiosk)
	}
	return err
}

// checkCRL refuses a proof whose CRL is older than the rules allow. Prove has already
// refused a certificate whose CRL is missing.
func checkCRL(r hubpolicy.OfflineRules, p webeid.Proof, at time.Time) error {
	if r.CRLMaxAge == 0 || p.Unrevocable {
		return nil
	}
	if p.CRL == nil {
		return trust.Refuse(kiosk.RevocationUnknown, "no CRL is at hand")
	}
	if age := at.Sub(p.CRL.ThisUpdate); age > time.Duration(r.CRLMaxAge) {
		return trust.Refuse(kiosk.RevocationUnknown, "the CRL is %s old, at most %s will do", age.Round(time.Minute), time.Duration(r.CRLMaxAge))
	}
	return nil
}
