package browser

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestCheckOrigin(t *testing.T) {
	for origin, ok := range map[string]bool{
		"https://login.example":          true,
		"https://login.example:8443":     true,
		"https://xn--lgin-1qa.example":   true,
		"":                               false,
		"login.example":                  false,
		"http://login.example":           false,
		"https://login.example/":         false,
		"https://login.example:443":      false,
		"https://Login.example":          false,
		"https://*.login.example":        false,
		"https://kari@login.example":     false,
		"https://login.example/path":     false,
		"https://login.example?x":        false,
		"https://login.example#x":        false,
		"https://login.example, https:/": false,
		"https://%6Cogin.example":        false,
		"chrome://settings":              false,
	} {
		if err := CheckOrigin(origin); (err == nil) != ok {
			t.Errorf("%q: %v", origin, err)
		}
	}
}

// during are the rules in a login.
var during = rules{panel: "http://127.0.0.1:8080", origins: []string{"https://login.example"}, callback: "https://hub.example/callback"}

func TestDecide(t *testing.T) {
	idle := rules{panel: during.panel}
	for _, row := range []struct {
		rules          rules
		address        string
		main, document bool
		want           decision
	}{
		{idle, "http://127.0.0.1:8080/panel/", true, true, allowed},
		{idle, "http://127.0.0.1:8080/panel/events", false, false, allowed},
		{idle, "http://127.0.0.1:8081/", true, true, refused},
		{idle, "https://login.example/", true, true, refused},
		{idle, "https://hub.example/callback?code=c", true, true, refused},
		{idle, cardService + "/scard/list/", false, false, refused},
		{during, "https://login.example/auth?x=y", true, true, allowed},
		{during, "https://login.example:443/auth", true, true, allowed},
		{during, "https://LOGIN.example/auth", true, true, allowed},
		{during, "https://login.example/auth", false, true, allowed},
		{during, "https://login.example:8443/", true, true, refused},
		{during, "http://login.example/", true, true, refused},
		{during, "https://login.example.evil.example/", true, true, refused},
		{during, "https://login.example@evil.example/", true, true, refused},
		{during, "https://evil.example/?https://login.example", true, true, refused},
		{during, "http://127.0.0.1:8080/", true, true, refused},
		{during, "http://127.0.0.1:8080/browser/results", false, false, refused},
		{during, "https://hub.example/callback?state=s&code=c", true, true, callback},
		{during, "https://hub.example/callback", true, true, callback},
		{during, "https://hub.example/callback?state=s", false, true, refused}, // in a frame
		{during, "https://hub.example/callback/x?state=s", true, true, refused},
		{during, "https://evil.example/?https://hub.example/callback?", true, true, refused},
		{during, cardService + "/scard/list/", false, false, allowed},
		{during, cardService + "/", true, true, refused},
		{during, cardService + "/", false, true, refused},
		{during, "data:text/html,x", true, true, refused},
		{during, "data:image/png;base64,AA", false, false, allowed},
		{during, "file:///etc/passwd", true, true, refused},
		{during, "javascript:x", true, true, refused},
		{during, "", true, true, refused},
	} {
		if got := row.rules.decide(row.address, row.main, row.document); got != row.want {
			t.Errorf("%s, main %v, document %v: %d, want %d", row.address, row.main, row.document, got, row.want)
		}
	}
}

// FuzzDecide: no navigation leaves the listed origins.
func FuzzDecide(f *testing.F) {
	for _, s := range []string{"https://login.example/", "https://hub.example/callback?code=c", "https://login.example@evil.example", "https://login.example\\@evil.example", "data:,", "//login.example"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, address string, main bool) {
		if during.decide(address, main, true) != allowed {
			return
		}
		if u, err := url.Parse(address); err != nil || u.Scheme != "https" || strings.ToLower(strings.TrimSuffix(u.Host, ":443")) != "login.example" {
			t.Errorf("%q is allowed", address)
		}
	})
}

func TestReadEnd(t *testing.T) {
	for text, ok := range map[string]bool{
		`{"login":"a","opened":true}`:       true,
		`{"login":"a","query":"code=c"}`:    true,
		`{"login":"a","failure":"crashed"}`: true,
		`{"login":"a"}`:                     true, // the callback had no query
		``:                                  false,
		`[]`:                                false,
		`{"login":7}`:                       false,
		`{"login":"a","failure":"bored"}`:   false,
		`{"login":"a","opened":true,"query":"code=c"}`:     false,
		`{"login":"a","opened":true,"failure":"crashed"}`:  false,
		`{"login":"a","query":"` + strings.Repeat("x", 10): false,
	} {
		if _, err := readEnd(strings.NewReader(text)); (err == nil) != ok || err != nil && !strings.HasPrefix(err.Error(), "cannot read the result: ") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzEnd: what is accepted has one meaning.
func FuzzEnd(f *testing.F) {
	f.Add(`{"login":"a","query":"code=c"}`)
	f.Add(`{"login":"a","failure":"crashed","opened":false}`)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := readEnd(strings.NewReader(text))
		if err != nil {
			return
		}
		if e.Failure != "" && !e.Failure.known() || e.Opened && (e.Query != "" || e.Failure != "") {
			t.Errorf("%s: %+v", text, e)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Error(err)
		}
	})
}

// FuzzPipe: nothing that Chromium sends makes the program panic.
func FuzzPipe(f *testing.F) {
	f.Add(`{"id":1,"result":{}}`)
	f.Add(`{"id":1,"error":{"message":"no"}}`)
	for _, method := range []string{"Fetch.requestPaused", "Target.attachedToTarget", "Target.targetCreated", "Page.frameNavigated", "Page.loadEventFired", "Network.responseReceived", "Page.javascriptDialogOpening"} {
		f.Add(`{"method":"` + method + `","sessionId":"s","params":{"requestId":"r","request":{"url":"https://evil.example"},"frame":{"id":"t"},"frameId":"t","resourceType":"Document"}}`)
	}
	f.Fuzz(func(t *testing.T, message string) {
		w := newTestWindow(t)
		w.take([]byte(message))
	})
}

// newTestWindow returns a window in a login without a Chromium.
func newTestWindow(t *testing.T) *window {
	w := &window{session: "s", target: "t", panel: "http://127.0.0.1:8080/", rules: during, login: "a", ends: make(chan end, 16),
		log: slog.New(slog.DiscardHandler), slow: time.NewTimer(time.Hour)}
	w.process = &process{pipe: &pipe{out: io.Discard, on: w.on, waiting: map[int]chan<- reply{}, gone: make(chan struct{})}, command: &exec.Cmd{}}
	return w
}

// A login may begin before a new Chromium has asked for the panel page. Its request then
// does not end the login. A later one does.
func TestPanelBeforeLogin(t *testing.T) {
	w := newTestWindow(t)
	w.login, w.rules = "", rules{panel: during.panel}
	w.mu.Lock()
	w.showPanel()
	w.mu.Unlock()
	w.open(task{Login: "a", Address: "https://broker.example/", Origins: during.origins, Callback: during.callback})
	request := []byte(`{"method":"Fetch.requestPaused","sessionId":"s","params":{"requestId":"r","request":{"url":"` + w.panel + `"},"frameId":"t","resourceType":"Document"}}`)
	w.take(request)
	w.take([]byte(`{"method":"Page.frameNavigated","sessionId":"s","params":{"frame":{"id":"t","url":"chrome-error://chromewebdata/","unreachableUrl":"` + w.panel + `"}}}`))
	if w.login != "a" {
		t.Fatalf("the kiosk's own request for its panel ended the login: %+v", <-w.ends)
	}
	w.take(request)
	if e := <-w.ends; w.login != "" || e.Failure != Navigation {
		t.Errorf("a login page went to the panel: %+v", e)
	}
}
