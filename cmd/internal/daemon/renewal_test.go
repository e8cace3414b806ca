package daemon

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/devicekey"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/hubapi"
)

// renewing is a kiosk's identity whose hub is a function of the test.
type renewing struct {
	*identity
	t   *testing.T
	key *ecdsa.PrivateKey
	dir string

	mu       sync.Mutex
	attempts []time.Time
	down     bool
	marks    []string
}

const testLifetime = 90 * 24 * time.Hour

func newRenewing(t *testing.T) *renewing {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := &renewing{t: t, key: key, dir: t.TempDir()}
	first := r.issue(time.Now())
	file := r.write(first)
	credentials, err := hubapi.NewCredentials(file, file, key) // the CA is not used
	if err != nil {
		t.Fatal(err)
	}
	r.identity = newIdentity(&config.Config{Hub: config.Hub{Certificate: file, URL: "https://hub.example"}}, credentials, time.Now, slog.New(slog.DiscardHandler))
	r.identity.renew = func(context.Context) (*x509.Certificate, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.attempts = append(r.attempts, time.Now())
		if r.down {
			return nil, errors.New("the hub is down")
		}
		return r.issue(time.Now()), nil
	}
	r.identity.show = func(mark string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if n := len(r.marks); n == 0 || r.marks[n-1] != mark {
			r.marks = append(r.marks, mark)
		}
	}
	return r
}

func (r *renewing) issue(now time.Time) *x509.Certificate {
	r.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), NotBefore: now, NotAfter: now.Add(testLifetime),
		URIs: []*url.URL{hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}.URI()},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, r.key.Public(), r.key)
	if err != nil {
		r.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		r.t.Fatal(err)
	}
	return cert
}

// write puts a certificate into the kiosk's file.
func (r *renewing) write(c *x509.Certificate) (file string) {
	r.t.Helper()
	file = filepath.Join(r.dir, "kiosk.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return file
}

// while runs the identity's task during f.
func (r *renewing) while(f func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.run(ctx) })
	f()
	cancel()
	running.Wait()
}

func (r *renewing) tried() []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.attempts)
}

func (r *renewing) setDown(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

const day = 24 * time.Hour

// A kiosk renews its certificate once after two thirds of the time, and keeps the new one in
// its file.
func TestRenewsAtTwoThirds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRenewing(t)
		first := r.credentials.Certificate()
		r.while(func() {
			time.Sleep(56 * day)
			synctest.Wait()
			if n := len(r.tried()); n != 0 {
				t.Errorf("%d attempts before two thirds", n)
			}
			time.Sleep(4*day + renewalCheck) // with jitter
			synctest.Wait()
			if n := len(r.tried()); n != 1 {
				t.Errorf("%d attempts, want 1", n)
			}
		})
		second := r.credentials.Certificate()
		kept, err := hubapi.ReadCertificate(r.file)
		if err != nil || second.Equal(first) || !kept.Equal(second) {
			t.Errorf("the certificate in use is until %v, that in the file until %v, %v", second.NotAfter, kept.NotAfter, err)
		}
		if got, err := r.credentials.TLS.GetClientCertificate(nil); err != nil || !got.Leaf.Equal(second) {
			t.Errorf("a new connection presents another certificate: %v", err)
		}
		if len(r.marks) != 1 || r.marks[0] != "" {
			t.Errorf("the panel had the marks %q", r.marks)
		}
	})
}

// startHub runs a hub until the test ends.
func startHub(t *testing.T) (dir, url string) {
	t.Helper()
	dir, trust := filepath.Join(t.TempDir(), "hub"), filepath.Join(t.TempDir(), "pki")
	pki, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url = "https://" + l.Addr().String()
	if err := errors.Join(pki.Write(trust), hub.Init(dir, hub.InitOptions{Listen: l.Addr().String(), URL: url, Trust: trust})); err != nil {
		t.Fatal(err)
	}
	c, err := hub.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := hub.Open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- opened.Serve(ctx, l) }()
	t.Cleanup(func() { end(); <-served; opened.Close() })
	return dir, url
}

// A kiosk renews at a real hub, which accepts both certificates.
func TestRenewsAtARealHub(t *testing.T) {
	dir, url := startHub(t)
	bundle, err := hub.AddKiosk(dir, "k1")
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string) string { return filepath.Join(bundle, name) }
	c := &config.Config{ID: "k1", Hub: config.Hub{URL: url, CA: file("hub-ca.pem"), Certificate: file("kiosk.pem"), Key: file("kiosk.key")}}
	credentials, device, err := OpenCredentials(c)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	before := credentials.Certificate()
	client := hubapi.NewClient(url, credentials.TLS)
	if _, err := client.Challenge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := newIdentity(c, credentials, time.Now, slog.New(slog.DiscardHandler)).renewNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := credentials.Certificate()
	if after.Equal(before) || after.SerialNumber.Cmp(before.SerialNumber) == 0 || !after.PublicKey.(*ecdsa.PublicKey).Equal(before.PublicKey) {
		t.Errorf("the certificate is until %v, before until %v", after.NotAfter, before.NotAfter)
	}
	for range 2 { // on the open connection, and on a new one
		if _, err := client.Challenge(t.Context()); err != nil {
			t.Error(err)
		}
	}
	again, device, err := OpenCredentials(c)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	if !again.Certificate().Equal(after) {
		t.Error("after a restart the kiosk has another certificate")
	}
	// A kiosk that was removed cannot renew.
	if _, err := hub.RemoveClient(dir, hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}); err != nil {
		t.Fatal(err)
	}
	if err := newIdentity(c, credentials, time.Now, slog.New(slog.DiscardHandler)).renewNow(t.Context()); err == nil {
		t.Error("a removed kiosk has renewed its certificate")
	}
}

// A hub that is down for long: the kiosk tries again, more and more seldom but at least every
// hour, shows technicians the end, and renews when the hub is back.
func TestRenewalIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRenewing(t)
		r.setDown(true)
		r.while(func() {
			time.Sleep(89 * day)
			synctest.Wait()
			tried := r.tried()
			if len(tried) < 24*20 {
				t.Errorf("%d attempts in 29 days", len(tried))
			}
			if first := tried[1].Sub(tried[0]); first < renewalMinRetry/2 || first > renewalMinRetry {
				t.Errorf("the second attempt came after %v", first)
			}
			for i := 20; i < len(tried); i++ {
				if gap := tried[i].Sub(tried[i-1]); gap < renewalMaxRetry/2 || gap > renewalMaxRetry {
					t.Fatalf("attempt %d came %v after the one before", i, gap)
				}
			}
			if d := r.describe(); d.Failure != "the hub is down" || d.Mark != "c1" {
				t.Errorf("%+v", d)
			}
			r.setDown(false)
			time.Sleep(renewalMaxRetry)
			synctest.Wait()
			if d := r.describe(); d.Failure != "" || d.Mark != "" {
				t.Errorf("after the renewal: %+v", d)
			}
		})
		if r.marks[0] != "" || r.marks[1] != "c29" || r.marks[len(r.marks)-1] != "" {
			t.Errorf("the panel had the marks %q", r.marks)
		}
	})
}

// A technician puts a new certificate into the file: kioskd takes it over without a restart.
// What it cannot use it leaves alone.
func TestCertificateFromTechnician(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRenewing(t)
		first := r.credentials.Certificate()
		stranger := newRenewing(t) // another key
		r.while(func() {
			for _, bad := range [][]byte{nil, []byte("no certificate"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: stranger.issue(time.Now().Add(time.Hour)).Raw})} {
				if err := os.WriteFile(r.file, bad, 0o600); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * renewalCheck)
				synctest.Wait()
				if !r.credentials.Certificate().Equal(first) {
					t.Errorf("kioskd took over %q", bad)
				}
			}
			next := r.issue(time.Now())
			r.write(next)
			time.Sleep(2 * renewalCheck)
			synctest.Wait()
			if !r.credentials.Certificate().Equal(next) {
				t.Error("kioskd did not take over the certificate")
			}
		})
	})
}

// A certificate that was issued for years, before there was a renewal, is renewed soon.
func TestOldCertificateIsRenewed(t *testing.T) {
	now := time.Now()
	if at := renewAt(&x509.Certificate{NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(4, 0, 0)}); at.After(now) {
		t.Errorf("it is renewed at %v", at)
	}
	if at := renewAt(&x509.Certificate{NotBefore: now, NotAfter: now.Add(90 * day)}); !at.Equal(now.Add(60 * day)) {
		t.Errorf("a certificate for 90 days is renewed after %v", at.Sub(now))
	}
}

// The hub names a second machine: the log, the panel and kioskctl name it, for a day.
func TestSecondMachineIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRenewing(t)
		logged := &countingHandler{Handler: slog.DiscardHandler}
		r.log = slog.New(logged)
		for range 3 {
			r.heardTwin("192.0.2.7")
		}
		if logged.n != 1 {
			t.Errorf("%d lines in the log", logged.n)
		}
		answer := httptest.NewRecorder()
		serveIdentity(http.NotFoundHandler(), r.identity).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/v1/identity", nil))
		var d devicekey.Status
		if err := json.Unmarshal(answer.Body.Bytes(), &d); err != nil || d.Twin != "192.0.2.7" || d.Mark != "x2" || d.Kiosk != "k1" {
			t.Errorf("%+v, %v", d, err)
		}
		time.Sleep(twinShown + time.Minute)
		if d := r.describe(); d.Twin != "" || d.Mark != "" {
			t.Errorf("a day later: %+v", d)
		}
	})
}

// countingHandler counts log lines.
type countingHandler struct {
	slog.Handler
	n int
}

func (h *countingHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *countingHandler) Handle(context.Context, slog.Record) error {
	h.n++
	return nil
}
