package hub

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
)

// crlServer is an HTTP transport that stands for the server of a CA's CRL.
type crlServer struct {
	t      *testing.T
	der    []byte
	etag   string
	answer func(*http.Request) (*http.Response, error) // used instead of the CRL, if set
	asked  []*http.Request
}

func (s *crlServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked = append(s.asked, r)
	if s.answer != nil {
		return s.answer(r)
	}
	return s.serve(r)
}

// serve answers with the CRL, or that it has not changed.
func (s *crlServer) serve(r *http.Request) (*http.Response, error) {
	if r.Header.Get("If-None-Match") == s.etag && s.etag != "" {
		return s.say(http.StatusNotModified, ""), nil
	}
	resp := s.say(http.StatusOK, string(s.der))
	resp.Header.Set("ETag", s.etag)
	resp.Header.Set("Last-Modified", "Sun, 22 Nov 2026 12:00:00 GMT")
	return resp, nil
}

func (s *crlServer) say(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// crlBench is a fetcher that requests its CRL from a crlServer.
type crlBench struct {
	*crlServer
	*crlFetcher
	dir string
	now time.Time
	log bytes.Buffer
}

func newCRLBench(t *testing.T) *crlBench {
	t.Helper()
	b := &crlBench{crlServer: &crlServer{t: t}, dir: filepath.Join(t.TempDir(), "crls"), now: time.Now()}
	b.publish(1, `"1"`, "revoked")
	b.restart()
	return b
}

// publish makes the server serve a CRL that lists these cards.
func (b *crlBench) publish(number int64, etag string, revoked ...string) {
	b.t.Helper()
	pki := cards(b.t)
	var list []*x509.Certificate
	for _, card := range revoked {
		list = append(list, pki.Holders[card].Authentication.Certificate)
	}
	var err error
	at := b.now.Add(time.Duration(number-100) * time.Minute)
	if b.der, err = pki.NewCRL(number, at, b.now.AddDate(0, 0, 1), list...); err != nil {
		b.t.Fatal(err)
	}
	b.etag = etag
}

// restart makes a new fetcher on the same folder.
func (b *crlBench) restart() {
	b.t.Helper()
	pki := cards(b.t)
	domains, err := trust.New(trust.Domain{
		Name: "test", Anchors: []*x509.Certificate{pki.Root}, Intermediates: []*x509.Certificate{pki.PersonCA},
		Policies: []string{"any"}, Subject: trust.SubjectBuypass, CRLURLs: []string{"http://crl.example/ca.crl"},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	at, err := NewTrust(origin, domains, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.crlFetcher, err = newCRLFetcher(at, b.dir, time.Hour, b.crlServer, func() time.Time { return b.now }, slog.New(slog.NewTextHandler(&b.log, nil)))
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *crlBench) expect(card string, want kiosk.Reason) {
	b.t.Helper()
	proof, err := b.trust.Verify(token(b.t, card, ownNonce), ownNonce, b.now)
	if err == nil {
		err = proof.CheckRevocation(b.t.Context(), b.now)
	}
	var got kiosk.Reason
	if refusal, ok := errors.AsType[*trust.Refusal](err); ok {
		got = refusal.Reason
	} else if err != nil {
		b.t.Fatal(err)
	}
	if got != want {
		b.t.Errorf("%s: %q, want %q\n%s", card, got, want, b.log.String())
	}
}

// The hub fetches a CRL, requests it conditionally, replaces it by a newer one and has it
// after a restart.
func TestCRLFetch(t *testing.T) {
	b := newCRLBench(t)
	b.expect("valid", kiosk.RevocationUnknown)
	b.refresh(t.Context(), b.kept)
	b.expect("valid", "")
	b.expect("revoked", kiosk.Revoked)
	before := b.trust.current.Load().crls[0].Digest

	b.refresh(t.Context(), b.kept)
	if r := b.asked[1]; r.Header.Get("If-None-Match") != `"1"` || r.Header.Get("If-Modified-Since") == "" {
		t.Errorf("asked again with %v", r.Header)
	}
	b.publish(2, `"2"`, "valid")
	b.refresh(t.Context(), b.kept)
	b.expect("valid", kiosk.Revoked)
	b.expect("revoked", "")
	if b.trust.set(before) == nil {
		t.Error("the CRL set of the policy before can no longer be fetched")
	}

	b.answer = func(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") }
	b.restart()
	b.expect("valid", kiosk.Revoked)
	b.refresh(t.Context(), b.kept)
	b.expect("valid", kiosk.Revoked)
	b.answer = nil
	b.refresh(t.Context(), b.kept)
	if r := b.asked[len(b.asked)-1]; r.Header.Get("If-None-Match") != `"2"` {
		t.Errorf("after a restart asked with %v", r.Header)
	}
}

// The hub keeps the old CRL if the server sends anything but a newer CRL of the CA.
func TestCRLFetchRefuses(t *testing.T) {
	answering := func(status int, body string) func(*crlBench) {
		return func(b *crlBench) {
			b.answer = func(*http.Request) (*http.Response, error) { return b.say(status, body), nil }
		}
	}
	for name, c := range map[string]struct {
		change func(*crlBench)
		want   string
	}{
		"no server": {func(b *crlBench) {
			b.answer = func(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") }
		}, "no route"},
		"not found":    {answering(404, ""), "answered Not Found"},
		"a login page": {answering(200, "<html>"), "cannot read CRL"},
		"cut":          {func(b *crlBench) { b.publish(2, ""); answering(200, string(b.der[:len(b.der)-1]))(b) }, "cut short"},
		"altered": {func(b *crlBench) {
			b.publish(2, "")
			b.der[len(b.der)-1] ^= 1
		}, "it is not signed by a CA"},
		"older":         {func(b *crlBench) { b.publish(0, "") }, "older than the one that the hub has"},
		"in the future": {func(b *crlBench) { b.publish(200, "") }, "is in the future"},
		"elsewhere":     {func(b *crlBench) { b.answer = b.around }, "more than 3 redirects"},
		"endless": {func(b *crlBench) {
			b.limit = 1 << 20
			b.answer = func(*http.Request) (*http.Response, error) {
				resp := b.say(200, "")
				resp.Body = io.NopCloser(zeros{})
				return resp, nil
			}
		}, "more than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newCRLBench(t)
			b.refresh(t.Context(), b.kept)
			c.change(b)
			b.log.Reset()
			b.refresh(t.Context(), b.kept)
			if !strings.Contains(b.log.String(), c.want) {
				t.Errorf("logged %q, want %q", b.log.String(), c.want)
			}
			b.expect("valid", "")
			b.expect("revoked", kiosk.Revoked)
			left, err := filepath.Glob(filepath.Join(b.dir, ".new-*"))
			if err != nil || len(left) > 0 {
				t.Errorf("temporary files remain: %v, %v", left, err)
			}
		})
	}
}

func (s *crlServer) around(r *http.Request) (*http.Response, error) {
	resp := s.say(http.StatusFound, "")
	resp.Header.Set("Location", r.URL.String()+"x")
	resp.Request = r
	return resp, nil
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// The hub fetches a CRL again if the stored one is damaged.
func TestCRLFolderDamaged(t *testing.T) {
	b := newCRLBench(t)
	b.refresh(t.Context(), b.kept)
	files, err := filepath.Glob(filepath.Join(b.dir, "*.crl"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	if err := os.WriteFile(files[0], []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.restart()
	b.expect("valid", kiosk.RevocationUnknown)
	b.refresh(t.Context(), b.kept)
	b.expect("valid", "")
}

// CRLs are fetched at the interval that the operator configured.
func TestCRLSchedule(t *testing.T) {
	b := newCRLBench(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go b.run(ctx)
		<-time.After(2*time.Hour + time.Minute)
		synctest.Wait()
		if len(b.asked) != 3 {
			t.Errorf("asked %d times in two hours", len(b.asked))
		}
	})
}

// What a hub left that was killed during a fetch is removed at the next start.
func TestCRLLeavings(t *testing.T) {
	b := newCRLBench(t)
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(b.dir, ".new-123")
	if err := os.WriteFile(left, []byte("half a CRL"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.restart()
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// After a failure the CRL is fetched again long before the next interval, and the schedule
// goes on as before.
func TestCRLRetry(t *testing.T) {
	b := newCRLBench(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var down atomic.Bool
		var requests atomic.Int32
		b.answer = func(r *http.Request) (*http.Response, error) {
			requests.Add(1)
			if down.Load() {
				return b.say(http.StatusServiceUnavailable, ""), nil
			}
			return b.serve(r)
		}
		down.Store(true)
		began := time.Now()
		go b.run(ctx)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if last := b.all()[crlSource{"test", "http://crl.example/ca.crl"}]; last.failures != int(requests.Load()) || !last.succeeded.IsZero() {
			t.Errorf("after %d failures: %+v", requests.Load(), last)
		}
		if b.overdue() {
			t.Error("overdue in the first interval")
		}
		b.now = b.now.Add(2*b.every + time.Minute)
		if !b.overdue() {
			t.Error("not overdue after two intervals")
		}
		if n := requests.Load(); n < 4 || n > 20 {
			t.Errorf("%d requests in ten minutes of failures, want 4 to 20", n)
		}
		down.Store(false)
		time.Sleep(2 * crlLongestRetry)
		synctest.Wait()
		b.expect("valid", "")
		if last := b.all()[crlSource{"test", "http://crl.example/ca.crl"}]; last.failures != 0 || !last.succeeded.Equal(b.now) || b.overdue() {
			t.Errorf("after a success: %+v", last)
		}
		requests.Store(0)
		time.Sleep(time.Until(began.Add(2*time.Hour + time.Minute)))
		synctest.Wait()
		if n := requests.Load(); n != 2 {
			t.Errorf("%d requests in the rest of two hours, want 2", n)
		}
	})
}
