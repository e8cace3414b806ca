package panel

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
)

// stream reads a panel's events as a page does.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
}

// open starts a stream that ends with the test or when stop is called.
func open(t *testing.T, p *Panel) (s *stream, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer w.Close()
		request := httptest.NewRequestWithContext(ctx, "GET", "http://localhost/panel/events", nil)
		request.RemoteAddr = "127.0.0.1:4711"
		p.Handler().ServeHTTP(&pipeWriter{PipeWriter: w, header: http.Header{}}, request)
	}()
	return &stream{t, bufio.NewScanner(r)}, func() {
		cancel()
		r.Close()
		<-ended
	}
}

type pipeWriter struct {
	*io.PipeWriter
	header http.Header
}

func (w *pipeWriter) Header() http.Header { return w.header }
func (w *pipeWriter) WriteHeader(int)     {}
func (w *pipeWriter) Flush()              {}

// next returns the next event's name and data.
func (s *stream) next() (name, data string) {
	s.t.Helper()
	var lines []string
	for len(lines) < 3 && s.lines.Scan() {
		lines = append(lines, s.lines.Text())
	}
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "event: ") || !strings.HasPrefix(lines[1], "data: ") || lines[2] != "" {
		s.t.Fatalf("not an event: %q", lines)
	}
	return lines[0][len("event: "):], lines[1][len("data: "):]
}

func (s *stream) want(name, data string) {
	s.t.Helper()
	if n, d := s.next(); n != name || !strings.Contains(d, data) {
		s.t.Errorf("got %s %s, want %s with %s", n, d, name, data)
	}
}

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New()
		p.Cue("granted") // before a page is connected, so no page plays it
		p.Show(Frame{Name: "pin", Lang: "nb", Heading: "Tast PIN-koden", Tone: "neutral", Entry: 2})
		s, stop := open(t, p)
		s.want("frame", `{"name":"pin","lang":"nb","heading":"Tast PIN-koden","text":"","hint":"","tone":"neutral","entry":2,`)
		s.want("lamps", `{"green":false,"yellow":false,"red":false}`)

		synctest.Wait()
		p.Show(Frame{Name: "granted", Tone: "good", Entry: -1})
		s.want("frame", `"name":"granted"`)
		s.want("lamps", `{"green":true,"yellow":false,"red":false}`)

		synctest.Wait()
		p.Show(Frame{Name: "granted", Tone: "good", Entry: -1, Hint: "same lamps"})
		s.want("frame", "same lamps")
		synctest.Wait()
		p.Cue("granted")
		s.want("cue", `"granted"`)

		// A slow page gets the latest frame, not each one.
		synctest.Wait()
		p.Show(Frame{Name: "one"})
		synctest.Wait() // now the stream is blocked in writing the frame
		p.Show(Frame{Name: "two"})
		p.Show(Frame{Name: "three", Tone: "bad"})
		s.want("frame", `"name":"one"`)
		s.want("lamps", `{"green":false,`)
		s.want("frame", `"name":"three"`)
		s.want("lamps", `"red":true}`)

		stop() // waits until the handler has ended with its request
	})
}

func TestStreamOfNewPanel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := open(t, New())
		s.want("frame", `"tone":"neutral","entry":-1`)
		stop()
	})
}

func TestLamps(t *testing.T) {
	for tone, want := range map[string]lamps{
		"neutral":   {},
		"busy":      {Yellow: true},
		"attention": {Yellow: true},
		"good":      {Green: true},
		"bad":       {Red: true},
	} {
		if got := (Frame{Tone: tone}).lamps(); got != want {
			t.Errorf("%s: %+v, want %+v", tone, got, want)
		}
	}
}

func post(p *Panel, body string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "http://127.0.0.1:8080/panel/keys", strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:4711"
	r.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, r)
	return w
}

func TestKeys(t *testing.T) {
	p := New()
	const all = "0123456789*#L"
	for _, key := range all {
		if w := post(p, `{"key":"`+string(key)+`"}`, nil); w.Code != http.StatusNoContent || w.Body.Len() > 0 {
			t.Fatalf("key %c: %d %s", key, w.Code, w.Body)
		}
	}
	for _, key := range all {
		if got := <-p.Keys(); got != key {
			t.Errorf("got %c, want %c", got, key)
		}
	}
}

func TestKeysNobodyReads(t *testing.T) {
	p := New()
	for range keyBuffer {
		post(p, `{"key":"1"}`, nil)
	}
	if w := post(p, `{"key":"1"}`, nil); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a key too many: %d %s", w.Code, w.Body)
	}
}

func TestBadKeys(t *testing.T) {
	const malformed = `cannot read key: want {"key":"1"}, of 0-9 * # L`
	for _, tt := range []struct {
		name, body string
		change     func(*http.Request)
		status     int
		want       string
	}{
		{"empty", ``, nil, 400, malformed},
		{"no JSON", `7`, nil, 400, malformed},
		{"no key", `{}`, nil, 400, malformed},
		{"two digits", `{"key":"77"}`, nil, 400, malformed},
		{"a number", `{"key":7}`, nil, 400, malformed},
		{"a letter", `{"key":"l"}`, nil, 400, malformed},
		{"two values", `{"key":"7"}{"key":"7"}`, nil, 400, malformed},
		{"too long", `{"key":"7"` + strings.Repeat(" ", maxKeyBody) + `}`, nil, 400, "cannot read key: the body is too long or broken off"},
		{"a form", `key=7`, func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, 415, "a key is application/json"},
		{"text", `{"key":"7"}`, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415, "a key is application/json"},
		{"no type", `{"key":"7"}`, func(r *http.Request) { r.Header.Del("Content-Type") }, 415, "a key is application/json"},
		{"a get", ``, func(r *http.Request) { r.Method = "GET" }, 404, ""},
	} {
		p := New()
		w := post(p, tt.body, tt.change)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s, want %d %s", tt.name, w.Code, w.Body, tt.status, tt.want)
		}
		if strings.Contains(w.Body.String(), "7") {
			t.Errorf("%s: the answer holds the digit: %s", tt.name, w.Body)
		}
		if len(p.Keys()) != 0 {
			t.Errorf("%s: a key was taken", tt.name)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, seed := range []string{`{"key":"1"}`, `{"key":"*"}`, `{"key":"\u0031"}`, `{"KEY":"1"}`, `{"key":"æ"}`, `[]`, `null`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		key, ok := parseKey(body)
		if ok != strings.ContainsRune("0123456789*#L", key) {
			t.Fatalf("parseKey(%q) = %q, %v", body, key, ok)
		}
		if !ok {
			return
		}
		again, err := json.Marshal(map[string]string{"key": string(key)})
		if err != nil {
			t.Fatal(err)
		}
		if key2, ok := parseKey(again); !ok || key2 != key {
			t.Fatalf("%q became %q", key, key2)
		}
	})
}

func TestPage(t *testing.T) {
	for path, want := range map[string]struct{ kind, text string }{
		"/panel/":          {"text/html; charset=utf-8", "<kiosk-panel>"},
		"/panel/panel.js":  {"text/javascript; charset=utf-8", "customElements.define"},
		"/panel/panel.css": {"text/css; charset=utf-8", "kiosk-panel {"},
		"/panel/icon.svg":  {"image/svg+xml", "<svg"},
	} {
		r := httptest.NewRequest("GET", "http://localhost:8080"+path, nil)
		r.RemoteAddr = "[::1]:4711"
		w := httptest.NewRecorder()
		New().Handler().ServeHTTP(w, r)
		if w.Code != 200 || w.Header().Get("Content-Type") != want.kind || !bytes.Contains(w.Body.Bytes(), []byte(want.text)) {
			t.Errorf("%s: %d %s, want %s with %s", path, w.Code, w.Header().Get("Content-Type"), want.kind, want.text)
		}
	}
}
