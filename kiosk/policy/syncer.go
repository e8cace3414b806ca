// Package policy fetches this kiosk's policy from the hub, stores it across
// restarts and puts it in force.
package policy

import (
	"context"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"smartkiosk/kiosk/offline"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/sealkey"
	"smartkiosk/kiosk/protocol/trust"
)

// Hub is the part of hubapi.Client that a Syncer calls.
type Hub interface {
	// Policy returns the signed policy, or "" if version is still current.
	Policy(ctx context.Context, version string) (jws string, err error)
	// Known returns the holders that the hub has granted, as pseudonyms in
	// hexadecimal with the day of the grant, and a tag. It returns nil if the
	// list has not changed since tag.
	Known(ctx context.Context, tag string) (days map[string]int64, newTag string, err error)
	// CRLSet returns the CRL set with this digest. The caller closes it.
	CRLSet(ctx context.Context, digest string) (io.ReadCloser, error)
}

// Clock learns from the policy and its CRLs (kiosk/clock).
type Clock interface {
	At() time.Time
	AtLeast(time.Time) // the time of a CRL
	Issued(time.Time)  // the time of a policy
}

// Syncer keeps the kiosk's policy up to date.
type Syncer struct {
	Kiosk   string           // this kiosk's id; a policy for another kiosk is refused
	Key     crypto.PublicKey // the hub's public key for policies, P-256
	Hub     Hub
	Records Records
	Secret  []byte // encrypts the stored policy
	Clock   Clock
	Decider *offline.Decider // receives what a new policy says about offline verdicts
	Memory  *offline.Memory
	Witness *offline.Witness        // remembers outside the records that a policy was in force
	Seal    func(sealkey.Key) error // seals events to this key from now on, unless it already seals to a newer one
	// Followed receives each policy that is put in force, for what it says about services and
	// updates.
	Followed func(hubpolicy.Policy)
	Log      *slog.Logger

	policy   hubpolicy.Policy // in force; IssuedAt is zero before the first
	version  string
	crls     map[string]*trust.CRL // by digest
	knownTag string                // of the newest list of known holders

	mu    sync.Mutex // guards tasks
	tasks tasks
}

// Open puts the stored policy in force, if there is one. It fails if the stored policy
// cannot be verified. It also fails if a policy that was once in force is missing, or newer
// than the stored one. After an error the caller must deny everybody offline until
// Fetch has succeeded.
func (s *Syncer) Open() error {
	c := cache{s.Records, s.Secret}
	issued, followed := s.Witness.Followed()
	jws, err := c.current()
	switch {
	case err != nil:
		return err
	case followed && issued.IsZero():
		return errors.New("cannot use stored policy: the file that says which policy was in force is damaged")
	case jws == "" && followed:
		return errors.New("cannot use stored policy: it is lost")
	case jws == "":
		return c.deleteOldCRLs()
	}
	p, version, err := hubpolicy.Verify(jws, s.Kiosk, s.Key)
	if err != nil {
		return errors.Join(fmt.Errorf("cannot use stored policy: %w", err), c.deleteOldCRLs())
	}
	if err := c.deleteOldCRLs(p); err != nil {
		s.Log.Warn("cannot delete CRL sets that are not used", "err", err)
	}
	if p.IssuedAt.Before(issued) {
		return fmt.Errorf("cannot use stored policy: it was issued at %s, before the last one that was in force, %s",
			p.IssuedAt.Format(time.RFC3339), issued.Format(time.RFC3339))
	}
	crls := map[string]*trust.CRL{}
	for _, named := range p.CRLs {
		crl, err := c.crl(named)
		if err != nil || crl == nil {
			// Without it, certificates of its CA are refused offline.
			s.Log.Error("cannot use stored CRL set", "domain", named.Domain, "err", err)
			continue
		}
		crls[named.Digest] = crl
	}
	if err := s.follow(p, version, crls); err != nil {
		return err
	}
	if err = errors.Join(s.Seal(p.Seal), s.Witness.Follow(p.IssuedAt)); err != nil || len(crls) < len(p.CRLs) {
		s.version = "" // fetch everything again
	}
	return err
}

const (
	firstRetry   = 5 * time.Second
	fetchTimeout = 10 * time.Minute // a large CRL over a slow line
)

// Run fetches at once and then at the interval that the policy sets, until ctx
// ends. After a failure it retries sooner, with growing pauses.
func (s *Syncer) Run(ctx context.Context) {
	retry := firstRetry
	failing := false
	for {
		fetching, cancel := context.WithTimeout(ctx, fetchTimeout)
		err := s.Fetch(fetching)
		cancel()
		if err := s.Memory.DropGrantsBefore(hubpolicy.Day(s.Clock.At())); err != nil {
			s.Log.Error("cannot delete old counters of holders", "err", err)
		}
		wait := s.interval()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if !failing {
				s.Log.Warn("cannot get policy", "request", hubapi.RequestID(err), "err", err)
			}
			wait, retry = min(retry, wait), min(2*retry, wait)
		default:
			if failing {
				s.Log.Info("policy fetched again after failures")
			}
			retry = firstRetry
		}
		failing = err != nil
		select {
		case <-time.After(wait + rand.N(wait/4+1)): // jitter, so that kiosks do not all fetch at once
		case <-ctx.Done():
			return
		}
	}
}

// interval is the time between two fetches.
func (s *Syncer) interval() time.Duration {
	return max(time.Duration(s.policy.AskEvery), firstRetry)
}

// Fetch requests a newer policy from the hub once, puts it in force and stores it.
// If anything is wrong with the new policy, the old one stays in force.
func (s *Syncer) Fetch(ctx context.Context) error {
	err := s.fetchPolicy(ctx)
	s.report(&s.tasks.policy, err)
	if err == nil && s.policy.Offline.Rule == hubpolicy.Known {
		err = s.fetchKnown(ctx)
		s.report(&s.tasks.known, err)
	}
	return err
}

func (s *Syncer) fetchPolicy(ctx context.Context) error {
	jws, err := s.Hub.Policy(ctx, s.version)
	if err != nil {
		return err
	}
	if jws == "" {
		if s.version == "" {
			return errors.New("cannot get policy: the hub answered 304 Not Modified to a request without a version")
		}
		return s.Memory.ResetGrants()
	}
	p, version, err := hubpolicy.Verify(jws, s.Kiosk, s.Key)
	if err != nil {
		return err
	}
	switch {
	// A policy in force that was issued in the future shows that the hub's clock was wrong.
	// An earlier policy may replace it.
	case p.IssuedAt.Before(s.policy.IssuedAt) && !s.policy.IssuedAt.After(s.Clock.At().Add(trust.DefaultSkew)):
		return fmt.Errorf("cannot use the hub's policy: it was issued at %s, before the policy in force, %s",
			p.IssuedAt.Format(time.RFC3339), s.policy.IssuedAt.Format(time.RFC3339))
	case !p.ValidUntil.Add(trust.DefaultSkew).After(s.Clock.At()):
		return fmt.Errorf("cannot use the hub's policy: it expired at %s", p.ValidUntil.Format(time.RFC3339))
	}
	crls, err := s.fetchCRLs(ctx, p)
	if err != nil {
		return err
	}
	if err := s.follow(p, version, crls); err != nil {
		return err
	}
	// A policy that cannot be stored is put in force anyway. But if the witness
	// cannot be written either, the kiosk denies everybody offline, because it
	// would not notice the loss of the policy after a restart.
	c := cache{s.Records, s.Secret}
	stored := c.store(jws)
	if err := s.Witness.Follow(p.IssuedAt); err != nil {
		config := s.Decider.Config()
		config.Rules.Rule = hubpolicy.Never
		s.Decider.Set(config)
		s.version = ""
		return err
	}
	err = errors.Join(s.Seal(p.Seal), stored, c.deleteOldCRLs(p), s.Memory.ResetGrants())
	if today := hubpolicy.Day(s.Clock.At()); err == nil {
		err = s.Memory.KeepKnown(today-int64(p.Offline.KnownDays), today+1)
		s.knownTag = "" // if the clock is wrong, KeepKnown deleted holders that the hub still lists
	}
	if err != nil {
		s.version = "" // fetch everything again
		return err
	}
	s.Log.Info("policy updated", "version", version, "offline_rule", p.Offline.Rule, "until", p.ValidUntil)
	return nil
}

// fetchKnown fetches the holders that the hub has granted access at kiosks of
// this kiosk's groups.
func (s *Syncer) fetchKnown(ctx context.Context) error {
	days, tag, err := s.Hub.Known(ctx, s.knownTag)
	if err != nil || days == nil {
		return err
	}
	known := map[string]int64{}
	for name, day := range days {
		pseudonym, err := hex.DecodeString(name)
		if err != nil {
			return fmt.Errorf("cannot read known holders: %w", err)
		}
		known[string(pseudonym)] = day
	}
	if err := s.Memory.AddKnown(known); err != nil {
		return err
	}
	s.knownTag = tag
	return nil
}

func (s *Syncer) fetchCRLs(ctx context.Context, p hubpolicy.Policy) (map[string]*trust.CRL, error) {
	// Make room first: delete what earlier, failed downloads left.
	if err := (cache{s.Records, s.Secret}).deleteOldCRLs(s.policy, p); err != nil {
		return nil, err
	}
	crls := map[string]*trust.CRL{}
	for _, named := range p.CRLs {
		if crl := s.crls[named.Digest]; crl != nil {
			crls[named.Digest] = crl
			continue
		}
		body, err := s.Hub.CRLSet(ctx, named.Digest)
		if err != nil {
			return nil, err
		}
		crl, err := cache{s.Records, s.Secret}.storeCRL(named, body)
		_ = body.Close()
		if err != nil {
			return nil, fmt.Errorf("cannot use the CRL of trust domain %s: %w", named.Domain, err)
		}
		crls[named.Digest] = crl
	}
	return crls, nil
}

// follow puts a policy in force.
func (s *Syncer) follow(p hubpolicy.Policy, version string, crls map[string]*trust.CRL) error {
	of := map[string][]*trust.CRL{} // by trust domain
	for _, named := range p.CRLs {
		if crl := crls[named.Digest]; crl != nil {
			of[named.Domain] = append(of[named.Domain], crl)
			s.Clock.AtLeast(crl.ThisUpdate)
		}
	}
	domains, err := trust.FromDocuments(p.Domains, of)
	if err != nil {
		return err
	}
	s.Clock.Issued(p.IssuedAt)
	s.Decider.Set(offline.Config{Domains: domains, Rules: p.Offline, Version: version, Until: p.ValidUntil, Holders: p.Holders,
		Deny: p.Deny, Warnings: p.Warnings})
	s.Followed(p)
	if len(p.Warnings) > 0 {
		s.Log.Warn("this kiosk lets in more offline than its hub does online", "reason", p.Warnings)
	}
	s.policy, s.version, s.crls = p, version, crls
	s.reportPolicy()
	return nil
}
