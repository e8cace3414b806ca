package hub

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"smartkiosk/kiosk/protocol/trust"
)

// A running hub loads the trust domains and its own certificate again when their files have
// changed. What has an error is not used: the hub logs it and goes on with the version that it has.

// watchFiles calls load when files have changed, until ctx ends. digest tells their content.
// The files must be unchanged for one interval, so that a copy that is under way is not used.
// load says in the log what it did.
func watchFiles(ctx context.Context, every time.Duration, digest func() string, load func()) {
	used := digest()
	seen := used
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := digest()
		if now != used && now == seen {
			load()
			used = now
		}
		seen = now
	}
}

// digestOf hashes the content of files. A file that cannot be read counts as its error.
func digestOf(paths ...string) string {
	sum := sha256.New()
	for _, path := range paths {
		text, err := os.ReadFile(path)
		fmt.Fprintf(sum, "%s %d %v\n", path, len(text), err)
		sum.Write(text)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// trustDigest hashes a trust configuration and the files that it names.
func trustDigest(path string) string {
	names, _ := trust.Files(path)
	paths := []string{path}
	for _, name := range names {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		paths = append(paths, name)
	}
	return digestOf(paths...)
}

// watchTrust loads the trust domains again, until ctx ends.
func (h *Hub) watchTrust(ctx context.Context) {
	path := filepath.Join(h.config.Folder, trustDir, trustFile)
	watchFiles(ctx, reloadInterval, func() string { return trustDigest(path) }, func() { h.loadTrust(ctx, path) })
}

func (h *Hub) loadTrust(ctx context.Context, path string) {
	domains, err := trust.Load(path)
	if err == nil {
		err = h.crls.follow(ctx, domains)
	}
	if err != nil {
		h.log.Error("cannot load the trust domains, the current ones stay in use", "file", path, "err", err)
		return
	}
	names := domains.Names()
	if h.config.Brokers != nil {
		names = append(names, h.config.Brokers.Domains()...)
	}
	h.rules.SetDomains(names, h.log)
	h.log.Info("trust domains loaded", "file", path)
}

// ownCertificate is the certificate with which a hub serves.
type ownCertificate struct {
	current atomic.Pointer[tls.Certificate]
}

// use has a TLS configuration of a server offer the current certificate.
func (o *ownCertificate) use(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.Certificates = []tls.Certificate{*o.current.Load()}
	return config
}

// watchCertificate loads the hub's certificate again, until ctx ends. Connections that are
// open keep the one that they began with.
func (h *Hub) watchCertificate(ctx context.Context) {
	cert, key := filepath.Join(h.config.Folder, serverFile), filepath.Join(h.config.Folder, serverKeyFile)
	watchFiles(ctx, reloadInterval, func() string { return digestOf(cert, key) }, func() {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err == nil {
			err = checkCovered(pair, h.config.URL)
		}
		if err != nil {
			h.log.Error("cannot load the hub's certificate, the current one stays in use", "file", cert, "err", err)
			return
		}
		h.own.current.Store(&pair)
		h.log.Info("the hub's certificate is loaded", "file", cert, "until", pair.Leaf.NotAfter)
	})
}
