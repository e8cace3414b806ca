package hub

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/rules"
	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// OfflineConfig says what kiosks may decide while they cannot reach the hub.
type OfflineConfig struct {
	hubpolicy.OfflineRules
	ValidFor hubpolicy.Duration `toml:"valid_for"` // how long a policy is valid after a kiosk's last contact
	AskEvery hubpolicy.Duration `toml:"ask_every"` // how often kiosks ask for a newer policy
}

func (c OfflineConfig) check() error {
	if err := c.OfflineRules.Check(); err != nil {
		return fmt.Errorf("offline: %w", err)
	}
	if c.AskEvery < hubpolicy.Duration(time.Second) || c.ValidFor < 2*c.AskEvery {
		return fmt.Errorf("offline: ask_every must be at least 1s, and valid_for at least twice ask_every")
	}
	return nil
}

// policyAnswer handles GET /v1/kiosk.
func (h *Hub) policyAnswer(w http.ResponseWriter, r *http.Request, c caller) error {
	o, err := h.policyFor(r.Context(), c.Name)
	if err != nil {
		return err
	}
	version, err := o.Version()
	if err != nil {
		return err
	}
	tag := strconv.Quote(version)
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache")
	for _, known := range strings.Split(r.Header.Get("If-None-Match"), ",") {
		if strings.TrimSpace(known) == tag {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	jws, _, err := hubpolicy.Sign(o, h.config.Sign)
	if err != nil {
		return err
	}
	apihttp.Write(w, http.StatusOK, hubpolicy.MediaType, []byte(jws))
	return nil
}

// policyFor makes the policy of a kiosk. For a quarter of valid_for it returns the same
// bytes, on every hub with the same configuration, so that a kiosk need not fetch and
// store a policy that it has.
//
// A policy is never made without some of the deny rules: while the hub still computes what
// stands for a denied holder, policyFor returns an error, and the kiosk asks again.
func (h *Hub) policyFor(ctx context.Context, kioskID string) (hubpolicy.Policy, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	c, in, ruleset := h.config.Offline, h.config.Trust.current.Load(), h.rules.Rules()
	keys := h.holders.keys(kioskID)
	deny, err := h.denyRules(ctx, ruleset, kioskID, keys)
	if err != nil {
		return hubpolicy.Policy{}, err
	}
	warnings, _ := ruleset.OfflineWarnings(c.Rule)
	valid := time.Duration(c.ValidFor)
	issued := h.now().UTC().Truncate(valid / 4)
	return hubpolicy.Policy{
		Kiosk: kioskID, IssuedAt: issued, ValidUntil: issued.Add(valid / 4 * 5), // at least valid_for from now
		Offline: c.OfflineRules, Domains: in.domains.Documents(), CRLs: in.crls,
		Deny: deny, Warnings: warnings, Holders: keys, Seal: h.config.Seal.Keys()[0].Public(), AskEvery: c.AskEvery,
		Services: h.servicesOf(ruleset, kioskID), Update: h.rollouts.offer(kioskID, ruleset.GroupsOf(kioskID), h.now()),
		Doctor: h.questions.to(kioskID, h.now()),
	}, nil
}

// servicesOf returns what a kiosk offers: the services of the rules, and the login by phone
// if the kiosk's group has a broker.
func (h *Hub) servicesOf(r *rules.Rules, kioskID string) kiosk.Services {
	s := r.Services(kioskID)
	if h.config.Brokers != nil {
		if client := h.config.Brokers.For(r.GroupsOf(kioskID)); client != nil {
			s.Phone = kiosk.Environment(client.Config().Environment)
		}
	}
	return s
}

// denyRules returns the deny rules that apply at a kiosk. A kiosk that lets no one in
// offline needs none.
func (h *Hub) denyRules(ctx context.Context, r *rules.Rules, kioskID string, keys hubpolicy.HolderKeys) (deny []hubpolicy.DenyRule, err error) {
	if h.config.Offline.Rule == hubpolicy.Never {
		return nil, nil
	}
	deny, _ = r.DenyAt(kioskID, func(subject string) string {
		hash, unknown := h.holders.hash(ctx, subject)
		err = cmp.Or(err, unknown)
		return keys.Denied(hash)
	})
	return deny, err
}

// warnOffline logs in which ways the kiosks' offline rule is wider than the hub's rules.
func (h *Hub) warnOffline(r *rules.Rules) {
	_, sentences := r.OfflineWarnings(h.config.Offline.Rule)
	for _, s := range sentences {
		h.log.Warn("kiosks let in more offline than online", "reason", s, "version", r.Version)
	}
}

// crlTransfer bounds how long the transfer of a CRL set to a kiosk may take.
const crlTransfer = 10 * time.Minute

// crlSet handles GET /v1/crls/{digest}.
func (h *Hub) crlSet(w http.ResponseWriter, r *http.Request, _ caller) error {
	crl := h.config.Trust.set(r.PathValue("digest"))
	if crl == nil {
		return apihttp.Problem(http.StatusNotFound, hubapi.KindNotFound, "not found", "neither a current CRL nor the one before it has this digest")
	}
	// This answer may take longer than any other. A connection without deadlines is
	// fine too, so the error does not matter.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(crlTransfer))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.WriteHeader(http.StatusOK)
	_, _ = crl.WriteTo(w) // the client may be gone by now
	return nil
}
