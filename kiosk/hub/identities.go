package hub

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
)

// identities is what a running hub knows of the registry. It follows the registry, so that
// a check costs no request to JetStream, and so that a removal closes the connections of
// the identity at once.
type identities struct {
	registry *registry
	begun    time.Time

	mu      sync.Mutex
	entries map[hubapi.Identity]entry
	read    map[hubapi.Identity]uint64 // revision of each of the entries
	changes int                        // of the entries
	servers map[clientServer]struct{}
	held    map[hubapi.Identity]int // see hold
}

// clientServer has connections of clients.
type clientServer interface {
	// closeUnless closes those of an identity whose certificate is not accepted.
	closeUnless(id hubapi.Identity, accepted func(fingerprint string) bool)
}

// attachIdentities opens the registry.
func (h *Hub) attachIdentities(ctx context.Context) error {
	r, err := openRegistry(ctx, h.js, h.config.Folder, h.now)
	if err != nil {
		return err
	}
	if err := h.mergeIdentities(ctx, r); err != nil {
		return err
	}
	begun, err := r.begun(ctx)
	if err != nil {
		return err
	}
	h.identities = &identities{
		registry: r, begun: begun, entries: map[hubapi.Identity]entry{}, read: map[hubapi.Identity]uint64{},
		servers: map[clientServer]struct{}{}, held: map[hubapi.Identity]int{},
	}
	return nil
}

// watchIdentities follows the registry until ctx ends.
func (h *Hub) watchIdentities(ctx context.Context) {
	h.keepFollowing(ctx, "registered certificates", h.identities.follow)
}

// keepFollowing calls follow again when it returns, until ctx ends.
func (h *Hub) keepFollowing(ctx context.Context, what string, follow func(context.Context) error) {
	for ctx.Err() == nil {
		reading, cancel := h.keeper.untilReplaced(ctx)
		if err := follow(reading); err != nil && reading.Err() == nil {
			h.log.Error("cannot follow the store", "task", what, "err", err)
		}
		cancel()
		select {
		case <-time.After(reloadInterval):
		case <-ctx.Done():
		}
	}
}

// follow reads the registry's entries, and then its changes, until ctx ends.
func (i *identities) follow(ctx context.Context) error {
	return follow(ctx, i.registry.kv, func(found jetstream.KeyValueEntry) error {
		if found.Key() == begunKey {
			return nil
		}
		id, ok := identityOf(found.Key())
		var e entry
		if err := json.Unmarshal(found.Value(), &e); err != nil || !ok {
			return fmt.Errorf("cannot read entry %s: %w", found.Key(), err)
		}
		i.learn(id, e, found.Revision())
		return nil
	})
}

// learn replaces what is known of an identity, and closes its connections that use a
// certificate that is no longer accepted.
func (i *identities) learn(id hubapi.Identity, e entry, revision uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.entries[id], i.read[id] = e, revision
	i.changes++
	if i.held[id] == 0 {
		i.closeOld(id, e)
	}
}

// closeOld closes the connections of an identity that use a certificate that is no longer
// accepted. The caller holds mu.
func (i *identities) closeOld(id hubapi.Identity, e entry) {
	for server := range i.servers {
		server.closeUnless(id, func(fingerprint string) bool { return e.check(fingerprint) == nil })
	}
}

// hold keeps the connections of an identity open until release is called, so that a client
// whose request ends its own certificates gets the answer.
func (i *identities) hold(id hubapi.Identity) (release func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.held[id]++
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.held[id]--; i.held[id] == 0 {
			delete(i.held, id)
			i.closeOld(id, i.entries[id])
		}
	}
}

// remember replaces what is known of an identity, unless that is newer.
func (i *identities) remember(id hubapi.Identity, e entry, revision uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if revision >= i.read[id] {
		i.entries[id], i.read[id] = e, revision
	}
}

// changed counts the changes of the registry that the hub has seen.
func (i *identities) changed() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.changes
}

// serve adds the connections of a server. The caller calls end when the server has ended.
func (i *identities) serve(c clientServer) (end func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.servers[c] = struct{}{}
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		delete(i.servers, c)
	}
}

func (i *identities) known(id hubapi.Identity) entry {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.entries[id]
}

// check returns why a client may not use its certificate, or nil. The certificate comes
// from the hub's CA.
func (h *Hub) check(ctx context.Context, id hubapi.Identity, cert *x509.Certificate) error {
	i, print := h.identities, fingerprint(cert.Raw)
	if i.known(id).check(print) == nil {
		return nil
	}
	// The certificate may have been registered, or its holder added again, a moment ago.
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	e, revision, err := i.registry.get(ctx, id)
	if err != nil {
		return err
	}
	if revision == 0 && cert.NotBefore.Add(backdated).Before(i.begun) {
		if e, err = i.registry.adopt(ctx, id, cert); err != nil {
			return storeError{err}
		}
		h.log.Warn("certificate from before the registry is registered now", "caller", id, "until", cert.NotAfter)
	}
	// follow closes the connections. Here it would be too early for the one that is being
	// opened, because the client must learn why.
	i.remember(id, e, revision)
	return e.check(print)
}

// renewed reports whether a client has a newer certificate than that of its connection.
func (i *identities) renewed(c caller) bool {
	newest := i.known(c.Identity).current()
	return newest != nil && newest.Source == fromRenewal && newest.Fingerprint != fingerprint(c.cert.Raw)
}

// refusedClient returns why a client may not connect, or nil. It is called at the end of
// a handshake.
func (h *Hub) refusedClient(state tls.ConnectionState) error {
	cert := state.PeerCertificates[0]
	id, err := hubapi.IdentityOf(cert)
	if err != nil {
		return err
	}
	if err := h.check(context.Background(), id, cert); err != nil {
		h.abuse.note(unacceptedCertificate, id, err.Error())
		return fmt.Errorf("cannot accept the certificate of %s: %w", id, err)
	}
	return nil
}

// accept checks the certificate of a request. A connection may be older than the end of
// its certificate.
func (h *Hub) accept(r *http.Request, cert *x509.Certificate) error {
	id, err := hubapi.IdentityOf(cert)
	if err != nil {
		return apihttp.Forbidden(err.Error())
	}
	err = h.check(r.Context(), id, cert)
	if err == nil && time.Now().After(cert.NotAfter) {
		err = errExpired // the connection is older
	}
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[storeError](err); ok {
		return err
	}
	return apihttp.Forbidden("cannot accept the certificate of " + id.String() + ": " + err.Error())
}

// deviceKeys returns the keys with which a kiosk may have signed its events: that of its
// certificate, and those of its earlier certificates.
func (h *Hub) deviceKeys(c caller) []crypto.PublicKey {
	keys := []crypto.PublicKey{c.cert.PublicKey}
	for _, k := range h.identities.known(c.Identity).keys() {
		if !k.(interface{ Equal(crypto.PublicKey) bool }).Equal(c.cert.PublicKey) {
			keys = append(keys, k)
		}
	}
	return keys
}
