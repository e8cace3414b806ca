package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/trust"
)

// An OCSP responder may report that a certificate is revoked hours before the CA's next
// CRL lists it. The hubs share such reports, and each hub adds them to the CRL sets that
// it gives to kiosks, so that a kiosk refuses the card offline too.

const (
	revokedBucket = "smartkiosk-revoked" // digest of domain, issuer and serial → trust.Revocation
	revokedMemory = 90 * 24 * time.Hour  // a CRL that is used is never that old
)

// attachRevoked opens the bucket, or creates it.
func (h *Hub) attachRevoked(ctx context.Context) (err error) {
	h.revoked, err = h.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: revokedBucket, Storage: jetstream.FileStorage, TTL: revokedMemory,
	})
	return err
}

// revokedByOCSP handles a responder's report. It does not wait for the store, because a
// person waits for the verdict.
func (h *Hub) revokedByOCSP(r trust.Revocation) {
	h.running.Go(func() {
		if err := h.shareRevoked(r); err != nil {
			h.log.Error("cannot store a revocation from OCSP", "domain", r.Domain, "err", err)
		}
	})
}

func (h *Hub) shareRevoked(r trust.Revocation) error {
	if err := h.config.Trust.addRevoked(r); err != nil {
		return err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	_, err = h.revoked.Put(ctx, revokedKey(r), text)
	return err
}

func revokedKey(r trust.Revocation) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %x %x", r.Domain, r.Issuer, r.Serial)
	return hex.EncodeToString(sum.Sum(nil))
}

// watchRevoked adds the reports of all hubs, those from before the start included, until
// ctx ends.
func (h *Hub) watchRevoked(ctx context.Context) {
	h.keepFollowing(ctx, "revocations from OCSP", h.addSharedRevocations)
}

func (h *Hub) addSharedRevocations(ctx context.Context) error {
	return follow(ctx, h.revoked, func(found jetstream.KeyValueEntry) error {
		var r trust.Revocation
		if err := json.Unmarshal(found.Value(), &r); err != nil {
			return fmt.Errorf("cannot read entry %s: %w", found.Key(), err)
		}
		return h.config.Trust.addRevoked(r)
	}, jetstream.IgnoreDeletes())
}
