package page

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"smartkiosk/cmd/internal/demo/page/browsertest"
)

// TestKeysInOrder delays the request of the first key until all keys are typed. The
// others must wait for it, or a right PIN becomes a wrong one.
func TestKeysInOrder(t *testing.T) {
	typed := make(chan struct{})
	_, ctx := openPage(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			if bytes.Contains(body, []byte(fakePIN[:1])) {
				<-typed
			}
			next.ServeHTTP(w, r)
		})
	})
	browsertest.Do(t, ctx, insert("valid"))
	browsertest.Until(t, ctx, screenIs("pin"))
	browsertest.Do(t, ctx, chromedp.KeyEvent(fakePIN+kb.Enter))
	close(typed)
	browsertest.Until(t, ctx, screenIs("granted"))
}

// recorder keeps everything that the browser received, and all URLs that it
// requested.
type recorder struct {
	mu   sync.Mutex
	urls []string
	sent bytes.Buffer
}

func (rec *recorder) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec.mu.Lock()
		rec.urls = append(rec.urls, r.URL.String())
		rec.mu.Unlock()
		next.ServeHTTP(&recordingWriter{w, rec}, r)
	})
}

type recordingWriter struct {
	http.ResponseWriter
	rec *recorder
}

func (w *recordingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recordingWriter) Write(data []byte) (int, error) {
	w.rec.mu.Lock()
	w.rec.sent.Write(data)
	w.rec.mu.Unlock()
	return w.ResponseWriter.Write(data)
}

// TestPINStaysSecret types a PIN and looks for its digits in URLs, answers and the
// page.
func TestPINStaysSecret(t *testing.T) {
	var rec recorder
	_, ctx := openPage(t, rec.wrap)
	browsertest.Do(t, ctx, insert("valid"))
	browsertest.Until(t, ctx, screenIs("pin"))
	rec.mu.Lock()
	rec.sent.Reset() // the page's own files have digits of their own
	rec.mu.Unlock()
	const html = "document.documentElement.outerHTML.replace(/ class=\"[^\"]*\"/g, '')"
	for i, digit := range "7777" {
		before := browsertest.Get(t, ctx, chromedp.Evaluate[string](html))
		browsertest.Do(t, ctx, chromedp.KeyEvent(string(digit)))
		browsertest.Until(t, ctx, fmt.Sprintf("document.querySelectorAll('.kp-on').length === %d", i+1))
		after := browsertest.Get(t, ctx, chromedp.Evaluate[string](html))
		if strings.Count(after, "7") != strings.Count(before, "7") {
			t.Fatal("the typed digit is in the page")
		}
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if sent := rec.sent.String(); strings.Contains(sent, "7") || !strings.Contains(sent, `"entry":4`) {
		t.Errorf("the server sent the digit, or did not send the count:\n%s", sent)
	}
	for _, url := range rec.urls {
		if strings.Contains(url, "7") {
			t.Errorf("the digit is in a URL: %s", url)
		}
	}
}

// TestLost interrupts the panel's stream. The page must say so, and recover when the
// stream is back.
func TestLost(t *testing.T) {
	var mu sync.Mutex
	var gone bool
	var end context.CancelFunc
	_, ctx := openPage(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/panel/events" {
				ctx, cancel := context.WithCancel(r.Context())
				defer cancel()
				mu.Lock()
				lost := gone
				end = cancel
				mu.Unlock()
				if lost {
					panic(http.ErrAbortHandler)
				}
				r = r.WithContext(ctx)
			}
			next.ServeHTTP(w, r)
		})
	})
	mu.Lock()
	gone = true
	end()
	mu.Unlock()
	browsertest.Until(t, ctx, screenIs("lost"))
	mu.Lock()
	gone = false
	mu.Unlock()
	browsertest.Until(t, ctx, screenIs("welcome"))
}

// TestHiddenPage checks that a hidden page closes its stream. A browser opens six
// connections to a server, and a few forgotten tabs would use them up.
func TestHiddenPage(t *testing.T) {
	opened, ended := make(chan string, 8), make(chan string, 8)
	_, ctx := openPage(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/events") {
				opened <- r.URL.Path
				defer func() { ended <- r.URL.Path }()
			}
			next.ServeHTTP(w, r)
		})
	})
	hide := func(hidden bool) {
		t.Helper()
		browsertest.Do(t, ctx, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(
			`Object.defineProperty(document, "hidden", {value: %v, configurable: true}); document.dispatchEvent(new Event("visibilitychange")); undefined`, hidden)))
	}
	both := func(what string, streams <-chan string) {
		t.Helper()
		got := map[string]bool{}
		for range 2 {
			select {
			case path := <-streams:
				got[path] = true
			case <-ctx.Done():
				t.Fatalf("%s: only %v", what, got)
			}
		}
		if !got["/demo/events"] || !got["/panel/events"] {
			t.Errorf("%s: %v", what, got)
		}
	}
	both("opened", opened)
	hide(true)
	both("let go", ended)
	hide(false)
	both("opened again", opened)
}
