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
	"time"

	"smartkiosk/kiosk/offline"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/sealkey"
	"smartkiosk/kiosk/protocol/trust"
)

// Hub is asked for orders (hubapi.Client).
type Hub interface {
	// hubpolicy.Policy gives signed orders, "" when the hub's are of this version still.
	Orders(ctx context.Context, version string) (jws string, err error)
	// Known gives whom the hub has let in, as pseudonyms in hexadecimal with the
	// day, and a tag; nil if that has not changed since the tag.
	Known(ctx context.Context, tag string) (days map[string]int64, newTag string, err error)
	// CRLSet gives the hubpolicy.CRL set of a digest.
	CRLSet(ctx context.Context, digest string) (io.ReadCloser, error)
}

// Clock learns from orders what time it is at least (kiosk/clock).
type Clock interface {
	At() time.Time
	AtLeast(time.Time)
}

// Syncer has a kiosk follow its newest orders.
type Syncer struct {
	Kiosk   string           // whose orders
	Key     crypto.PublicKey // of the hub, P-256
	Hub     Hub
	Records Records
	Clock   Clock
	Judge   *offline.Judge // is told what to go by
	Memory  *offline.Memory
	Seal    func(sealkey.Key) error // seals events to this key from now on, unless it did to a newer one
	Log     *slog.Logger

	orders  hubpolicy.Policy // followed; IssuedAt is zero before the first
	version string
	crls    map[string]*trust.CRL // by digest
	known   string                // tag of what was learned last
}

// Open follows the orders that are kept, if there are any. Until newer ones come,
// and after their end, nobody is let in by them.
func (k *Syncer) Open() error {
	jws, err := shelf{k.Records}.current()
	if err != nil || jws == "" {
		return err
	}
	o, ver, err := hubpolicy.Verify(jws, k.Kiosk, k.Key)
	if err != nil {
		return fmt.Errorf("what is kept: %w", err)
	}
	crls := map[string]*trust.CRL{}
	for _, c := range o.CRLs {
		crl, err := shelf{k.Records}.crl(c)
		if err != nil || crl == nil {
			// Nobody whose certificate it is about is let in without it.
			k.Log.Error("a hubpolicy.CRL that was kept is of no use", "domain", c.Domain, "error", err)
			continue
		}
		crls[c.Digest] = crl
	}
	if err := k.follow(o, ver, crls); err != nil {
		return err
	}
	if err = k.Seal(o.Seal); err != nil || len(crls) < len(o.CRLs) {
		k.version = "" // fetch all of it again
	}
	return err
}

const (
	firstRetry   = 5 * time.Second
	fetchTimeout = 10 * time.Minute // a large hubpolicy.CRL over a poor line
)

// Run looks for newer orders, at once and then as often as the last said, until
// ctx ends. While the hub does not answer it asks more often, up to that.
func (k *Syncer) Run(ctx context.Context) {
	retry := firstRetry
	failing := false
	for {
		fetching, cancel := context.WithTimeout(ctx, fetchTimeout)
		err := k.Fetch(fetching)
		cancel()
		wait := k.every()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if !failing {
				k.Log.Warn("cannot get orders", "error", err)
			}
			wait, retry = min(retry, wait), min(2*retry, wait)
		default:
			if failing {
				k.Log.Info("orders are to be had again")
			}
			retry = firstRetry
		}
		failing = err != nil
		select {
		case <-time.After(wait + rand.N(wait/4+1)): // not all kiosks at once
		case <-ctx.Done():
			return
		}
	}
}

// every is how long to wait between two looks.
func (k *Syncer) every() time.Duration {
	return max(time.Duration(k.orders.AskEvery), firstRetry)
}

// Fetch looks once for newer orders, takes and keeps them. The old ones stay in
// force if anything is wrong with the new.
func (k *Syncer) Fetch(ctx context.Context) error {
	jws, err := k.Hub.Orders(ctx, k.version)
	if err != nil {
		return err
	}
	if jws == "" {
		if k.version == "" {
			return errors.New("the hub says that nothing is newer than nothing")
		}
		return errors.Join(k.Memory.Heard(), k.learn(ctx))
	}
	o, ver, err := hubpolicy.Verify(jws, k.Kiosk, k.Key)
	if err != nil {
		return err
	}
	switch {
	case o.IssuedAt.Before(k.orders.IssuedAt):
		return fmt.Errorf("the hub's orders are of %s, older than those of %s",
			o.IssuedAt.Format(time.RFC3339), k.orders.IssuedAt.Format(time.RFC3339))
	case !o.ValidUntil.After(k.Clock.At()):
		return fmt.Errorf("the hub's orders ended at %s", o.ValidUntil.Format(time.RFC3339))
	}
	crls, err := k.fetchCRLs(ctx, o)
	if err != nil {
		return err
	}
	if err := k.follow(o, ver, crls); err != nil {
		return err
	}
	// What cannot be kept is followed all the same.
	s := shelf{k.Records}
	err = errors.Join(k.Seal(o.Seal), s.keep(jws), s.tidy(o), k.Memory.Heard())
	if days := o.Offline.KnownDays; err == nil {
		err = k.Memory.Forget(hubpolicy.Day(k.Clock.At()) - int64(days))
	}
	if err != nil {
		k.version = "" // fetch all of it again
		return err
	}
	k.Log.Info("new orders", "version", ver, "offline", o.Offline.Rule, "until", o.ValidUntil)
	return k.learn(ctx)
}

// learn remembers whom the hub has let in at kiosks of a group with this one, if
// the rules ask for it.
func (k *Syncer) learn(ctx context.Context) error {
	if k.orders.Offline.Rule != hubpolicy.Known {
		return nil
	}
	days, tag, err := k.Hub.Known(ctx, k.known)
	if err != nil || days == nil {
		return err
	}
	known := map[string]int64{}
	for name, day := range days {
		pseudonym, err := hex.DecodeString(name)
		if err != nil {
			return fmt.Errorf("cannot read who is known: %w", err)
		}
		known[string(pseudonym)] = day
	}
	if err := k.Memory.Learn(known); err != nil {
		return err
	}
	k.known = tag
	return nil
}

func (k *Syncer) fetchCRLs(ctx context.Context, o hubpolicy.Policy) (map[string]*trust.CRL, error) {
	crls := map[string]*trust.CRL{}
	for _, c := range o.CRLs {
		if crl := k.crls[c.Digest]; crl != nil {
			crls[c.Digest] = crl
			continue
		}
		body, err := k.Hub.CRLSet(ctx, c.Digest)
		if err != nil {
			return nil, err
		}
		crl, err := shelf{k.Records}.fill(c, body)
		_ = body.Close()
		if err != nil {
			return nil, fmt.Errorf("cannot take the hubpolicy.CRL of trust domain %s: %w", c.Domain, err)
		}
		crls[c.Digest] = crl
	}
	return crls, nil
}

// follow has the kiosk go by o from now on.
func (k *Syncer) follow(o hubpolicy.Policy, ver string, crls map[string]*trust.CRL) error {
	of := map[string][]*trust.CRL{}
	for _, c := range o.CRLs {
		if crl := crls[c.Digest]; crl != nil {
			of[c.Domain] = append(of[c.Domain], crl)
			k.Clock.AtLeast(crl.ThisUpdate)
		}
	}
	domains, err := trust.FromDocuments(o.Domains, of)
	if err != nil {
		return err
	}
	k.Clock.AtLeast(o.IssuedAt)
	k.Judge.Set(offline.Standing{Domains: domains, Rules: o.Offline, Version: ver, Until: o.ValidUntil, HolderKey: o.HolderKey})
	k.orders, k.version, k.crls = o, ver, crls
	return nil
}
