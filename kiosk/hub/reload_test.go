package hub

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/webeid"
)

// Files are used when they have changed, and not while they are being written.
func TestWatchFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		content, loads := "a", 0
		write := func(text string) { mu.Lock(); defer mu.Unlock(); content = text }
		digest := func() string { mu.Lock(); defer mu.Unlock(); return content }
		ctx, stop := context.WithCancel(t.Context())
		var watching sync.WaitGroup
		watching.Go(func() {
			watchFiles(ctx, 2*time.Second, digest, func() { mu.Lock(); defer mu.Unlock(); loads++ })
		})
		for i, step := range []struct {
			write string
			loads int
		}{{"a", 0}, {"b", 0}, {"c", 0}, {"c", 1}, {"c", 1}, {"a", 1}, {"a", 2}, {"d", 2}, {"a", 2}, {"a", 2}} {
			write(step.write)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			mu.Lock()
			if loads != step.loads {
				t.Errorf("step %d: loaded %d times, want %d", i, loads, step.loads)
			}
			mu.Unlock()
		}
		stop()
		watching.Wait()
	})
}

// openLogged starts a hub on the bed's JetStream, with its log.
func (b *bed) openLogged() (*Hub, *record) {
	b.t.Helper()
	cfg, err := Load(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	said := &record{}
	cfg.Conn, cfg.Now = b.conn, b.now
	h, err := Open(b.t.Context(), cfg, slog.New(slog.NewTextHandler(said, nil)))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(h.Close)
	return h, said
}

// A running hub accepts the cards of a CA that its operator adds, and no longer those of one
// that is taken out. A file with an error changes nothing.
func TestTrustIsLoadedAgain(t *testing.T) {
	b := newBed(t)
	h, said := b.openLogged()
	path := filepath.Join(b.dir, trustDir, trustFile)
	other, err := testpki.Mint(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	reason := func(pki *testpki.PKI) kiosk.Reason {
		t.Helper()
		c := pki.Holders["valid"].Authentication
		challenge, err := h.newChallenge(t.Context(), "k1")
		if err != nil {
			t.Fatal(err)
		}
		text, err := webeid.Sign(c.Key, c.Certificate.Raw, origin, challenge.Nonce)
		if err != nil {
			t.Fatal(err)
		}
		v, err := h.verdict(t.Context(), "k1", hubapi.AuthenticationRequest{Visit: "v", Nonce: challenge.Nonce, Token: text})
		if err != nil {
			t.Fatal(err)
		}
		return v.Reason
	}
	if err := os.WriteFile(path, []byte("[[domain]]\nname = 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.loadTrust(t.Context(), path)
	if got := reason(cards(t)); got != "" {
		t.Errorf("after an invalid file: %s", got)
	}
	if !strings.Contains(said.String(), "cannot load the trust domains, the current ones stay in use") {
		t.Errorf("the log is %s", said)
	}
	before := trustDigest(path)
	from := t.TempDir()
	if err := other.Write(from); err != nil {
		t.Fatal(err)
	}
	if err := copyTrust(filepath.Join(b.dir, trustDir), from); err != nil {
		t.Fatal(err)
	}
	if trustDigest(path) == before {
		t.Error("the change is not seen")
	}
	h.loadTrust(t.Context(), path)
	if got := reason(cards(t)); got != kiosk.NotTrusted {
		t.Errorf("a card of the CA that was taken out: %q", got)
	}
	if got := reason(other); got != "" {
		t.Errorf("a card of the CA that was added: %q", got)
	}
	// A CRL alone changes too.
	before = trustDigest(path)
	crls, err := filepath.Glob(filepath.Join(b.dir, trustDir, "*.crl"))
	if err != nil || len(crls) == 0 {
		t.Fatal(crls, err)
	}
	if err := os.WriteFile(crls[0], []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if trustDigest(path) == before {
		t.Error("the change of a CRL is not seen")
	}
}

// A running hub uses its renewed certificate for new connections. A certificate for another
// host is not used.
func TestOwnCertificateIsLoadedAgain(t *testing.T) {
	dir := newFolder(t)
	cfg := loaded(t, dir)
	said := &record{}
	h, err := Open(t.Context(), cfg, slog.New(slog.NewTextHandler(said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := h.Serve(ctx, ln); err != nil {
			t.Error(err)
		}
	})
	defer func() { stop(); serving.Wait() }()
	b := &bed{t: t, dir: dir, conn: h.conn, replicas: 1}
	k := b.holder("https://"+ln.Addr().String(), hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}, true)
	serial := func() string {
		conn, err := tls.Dial("tcp", ln.Addr().String(), k.tls.Clone())
		if err != nil {
			return err.Error()
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	replace := func(host string) *x509.Certificate {
		ca, err := readAuthority(dir)
		if err != nil {
			t.Fatal(err)
		}
		der, err := ca.server(cfg.Certificate.Leaf.PublicKey, time.Now(), host)
		if err != nil {
			t.Fatal(err)
		}
		if err := replaceFile(filepath.Join(dir, serverFile), pemCertificate(der)); err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	first := serial()
	if first != cfg.Certificate.Leaf.SerialNumber.String() {
		t.Fatalf("the certificate is %s", first)
	}
	replace("other.example")
	eventually(t, func() error {
		if !strings.Contains(said.String(), "cannot load the hub's certificate, the current one stays in use") {
			return errors.New("nothing is logged")
		}
		return nil
	})
	if got := serial(); got != first {
		t.Errorf("a certificate for another host is used: %s", got)
	}
	renewed := replace("127.0.0.1").SerialNumber.String()
	eventually(t, func() error {
		if got := serial(); got != renewed {
			return errors.New("the certificate is " + got)
		}
		return nil
	})
}

// The hub's log names the id that the kiosk has sent, and the answer too.
func TestRequestIDs(t *testing.T) {
	b := newBed(t)
	h, said := b.openLogged()
	handler := h.Handler()
	k := b.holder("", hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}, true)
	call := func(id string) (header http.Header) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", "/v1/authentications", strings.NewReader(`{"visit":"v1","nonce":"x","token":{}}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if id != "" {
			r.Header.Set(hubapi.RequestHeader, id)
		}
		chain := []*x509.Certificate{k.tls.Certificates[0].Leaf}
		r.TLS = &tls.ConnectionState{PeerCertificates: chain, VerifiedChains: [][]*x509.Certificate{chain}}
		w := answerOf{header: http.Header{}}
		handler.ServeHTTP(w, r)
		return w.header
	}
	if got := call("abc-123").Get(hubapi.RequestHeader); got != "abc-123" {
		t.Errorf("the answer has the id %q", got)
	}
	if !strings.Contains(said.String(), `msg="visit denied" request=abc-123 kiosk=k1 visit=v1`) {
		t.Errorf("the log is %s", said)
	}
	for _, id := range []string{"", "a b", "x\"y"} {
		got := call(id).Get(hubapi.RequestHeader)
		if got == id || !hubapi.ValidRequestID(got) || !strings.Contains(said.String(), "request="+got+" ") {
			t.Errorf("instead of %q the answer has the id %q; the log is %s", id, got, said)
		}
	}
}

// answerOf keeps the header of an answer.
type answerOf struct{ header http.Header }

func (a answerOf) Header() http.Header         { return a.header }
func (a answerOf) Write(p []byte) (int, error) { return len(p), nil }
func (a answerOf) WriteHeader(int)             {}
