package hub

import (
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

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
	o, err := h.policyFor(c.Name)
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
func (h *Hub) policyFor(kioskID string) (hubpolicy.Policy, error) {
	key, err := holderKey(h.config.Sign)
	if err != nil {
		return hubpolicy.Policy{}, err
	}
	c, in, ruleset := h.config.Offline, h.config.Trust.current.Load(), h.rules.Rules()
	deny, _ := ruleset.DenyAt(kioskID, func(subject string) string { return hubpolicy.SubjectPseudonym(key, subject) })
	warnings, _ := ruleset.OfflineWarnings(c.Rule)
	valid := time.Duration(c.ValidFor)
	issued := h.now().UTC().Truncate(valid / 4)
	return hubpolicy.Policy{
		Kiosk: kioskID, IssuedAt: issued, ValidUntil: issued.Add(valid / 4 * 5), // at least valid_for from now
		Offline: c.OfflineRules, Domains: in.domains.Documents(), CRLs: in.crls,
		Deny: deny, Warnings: warnings, HolderKey: key, Seal: h.config.Seal.Keys()[0].Public(), AskEvery: c.AskEvery,
	}, nil
}

// warnOffline logs in which ways the kiosks' offline rule is wider than the hub's rules.
func (h *Hub) warnOffline(r *rules.Rules) {
	_, sentences := r.OfflineWarnings(h.config.Offline.Rule)
	for _, s := range sentences {
		h.log.Warn("kiosks let in more offline than online", "reason", s, "version", r.Version)
	}
}

// holderKey derives the key of the holders' pseudonyms from the signing key, so that all
// hubs with the same signing key use the same pseudonyms.
func holderKey(sign jose.JSONWebKey) ([]byte, error) {
	private, ok := sign.Key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("cannot make a key for holders' names: the signing key is a %T", sign.Key)
	}
	secret, err := private.Bytes()
	if err != nil {
		return nil, fmt.Errorf("cannot make a key for holders' names: %w", err)
	}
	return hkdf.Key(sha256.New, secret, nil, "smartkiosk holders", sha256.Size)
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
