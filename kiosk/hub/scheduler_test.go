package hub

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubapi"
)

// While a person waits, and for lingerTime after the answer, the hub opens one event of
// all backlogs at a time; otherwise one for each processor.
func TestPersonsComeBeforeBacklogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		processors := runtime.GOMAXPROCS(4)
		defer runtime.GOMAXPROCS(processors)
		var s scheduler
		var opening, opened atomic.Int32
		for range 1000 {
			go func() {
				s.beginOpening()
				opening.Add(1)
				time.Sleep(time.Millisecond) // synctest's clock
				opening.Add(-1)
				opened.Add(1)
				s.endOpening()
			}()
		}
		at := func(when string, want, done int32) {
			t.Helper()
			synctest.Wait()
			if opening.Load() != want || opened.Load() != done {
				t.Errorf("%s: %d events are being opened, want %d; %d are done, want %d", when, opening.Load(), want, opened.Load(), done)
			}
		}
		half := func() { time.Sleep(500 * time.Microsecond) }
		half()
		at("without a person", 4, 0)
		first, second := s.beginPerson(), s.beginPerson()
		at("a person arrives", 4, 0)
		half()
		at("the events under way are done", 1, 4)
		time.Sleep(time.Millisecond)
		at("a person waits", 1, 5)
		first()
		at("one of two persons has an answer", 1, 5)
		second()
		at("both have just got their answers", 1, 5)
		time.Sleep(lingerTime)
		half()
		at("after lingerTime", 4, 5+int32(lingerTime/time.Millisecond))
		time.Sleep(time.Second)
		at("at the end", 0, 1000)
	})
}

// While a person waits, the hub does not store a message and open an event at the same
// time.
func TestStoringTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s scheduler
		var opening atomic.Bool
		open := func() { s.beginOpening(); opening.Store(true) }
		stored := s.beginStoring()
		open()
		s.endOpening()
		opening.Store(false)
		defer s.beginPerson()()
		go open()
		synctest.Wait()
		if opening.Load() {
			t.Error("an event is opened while a message is being stored and a person waits")
		}
		stored()
		synctest.Wait()
		if !opening.Load() {
			t.Error("the event is not opened after the message was stored")
		}
	})
}

// Requests for a challenge and for a verdict count as a person who waits.
func TestPersonRequestsAreScheduled(t *testing.T) {
	b := newBed(t)
	h := b.open()
	var seen []int
	look := func() { seen = append(seen, h.scheduler.waiting) }
	h.rand = lookingReader{h.rand, look}
	h.validator = lookingValidator(look)
	id := hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}
	cert, _ := b.issue(id)
	b.register(id, cert, true)
	call := func(path, body string) (answer struct{ Nonce, Verdict string }) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}, VerifiedChains: [][]*x509.Certificate{{cert}}}
		w := httptest.NewRecorder()
		h.Handler().ServeHTTP(w, r)
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s: %s", path, w.Body)
		}
		return answer
	}
	nonce := call("/v1/challenges", "").Nonce
	verdict := call("/v1/authentications", fmt.Sprintf(`{"visit":"v","nonce":%q,"token":{}}`, nonce)).Verdict
	if verdict == "" || !slices.Equal(seen, []int{1, 1}) || h.scheduler.waiting != 0 {
		t.Errorf("persons who waited: %v, afterwards %d; the verdict is %q", seen, h.scheduler.waiting, verdict)
	}
}

type lookingReader struct {
	io.Reader
	look func()
}

func (r lookingReader) Read(b []byte) (int, error) {
	r.look()
	return r.Reader.Read(b)
}

type lookingValidator func()

func (look lookingValidator) Verify([]byte, string, time.Time) (Proof, error) {
	look()
	return Proof{kiosk.Holder{ID: "x"}, func(context.Context, time.Time) error { return nil }}, nil
}
