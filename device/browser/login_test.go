package browser

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// back is a script that ends a login.
const back = `location = "` + callbackURL + `?state=s&code=c"`

// TestLogin types a PIN into a login page by the kiosk's keys. The broker's answer comes
// back, the callback's server gets no request, and the panel is shown again. The next login
// knows nothing of this one.
func TestLogin(t *testing.T) {
	b := newBench(t)
	b.handle("/pin", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		http.SetCookie(w, &http.Cookie{Name: "person", Value: "kari", Path: "/", MaxAge: 3600})
		cookie, _ := r.Cookie("person")
		fmt.Fprintf(w, `<form onsubmit="location='%s?state=s&code='+pin.value+'&known=%t';return false"><input name=pin id=pin autofocus><button>OK</button></form>
<script>(document.activeElement == pin) ? fetch("/focused") : pin.onfocus = () => fetch("/focused")</script>`, callbackURL, cookie != nil)
	})
	b.handle("/focused", func(http.ResponseWriter, *http.Request) {
		for _, k := range "125*34#" {
			b.link.Key(k)
		}
	})
	b.run()
	for range 2 {
		query, failure := b.open("/pin", nil)
		if failure != "" || query != "state=s&code=1234&known=false" {
			t.Fatalf("%q, %s", query, failure)
		}
		b.endsVisit()
	}
	if b.requested("hub.example", "/callback") {
		t.Error("the callback's server got the broker's answer from the page")
	}
}

// TestPages checks what login pages may not do, and that a login goes on or ends.
func TestPages(t *testing.T) {
	b := newBench(t)
	b.page("/nothing", "nothing")
	b.handle("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, evilOrigin+"/away", http.StatusFound)
	})
	b.handle("/broken", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", http.StatusBadGateway) })
	b.handle("/cut", func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	b.handle("/file", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Disposition", "attachment; filename=evil.txt")
		fmt.Fprint(w, "evil")
	})
	script := func(name, js string) string {
		b.page("/"+name, `<input type=file id=file><body><script>setTimeout(async () => {`+js+`}, 100)</script>`)
		return "/" + name
	}
	// answers goes back with the value of a promise.
	answers := func(js string) string {
		return `let a = "none"; try { a = await (` + js + `)() } catch (e) { a = "failed" }; location = "` + callbackURL + `?state=" + encodeURIComponent(a)`
	}
	const reach = `async () => (await fetch("%s", {mode: "no-cors"}), "reached")`
	rows := []struct {
		name, path string
		query      string
		failure    Failure
	}{
		{"goes to another origin", script("goes", `location = "`+evilOrigin+`/goes"`), "", Navigation},
		{"is redirected to another origin", "/away", "", Navigation},
		{"goes to the panel", script("panel", `location = "`+b.kioskd.URL+`/"`), "", Navigation},
		{"cannot be reached", "/cut", "", Unreached},
		{"is an error of its server", "/broken", "", Unreached},
		{"opens a frame of another origin", script("frame", `let f = document.createElement("iframe"); f.src = "`+evilOrigin+`/frame"; f.onload = f.onerror = () => { `+back+` }; document.body.append(f)`), "state=s&code=c", ""},
		{"reads from another origin", script("reads", answers(fmt.Sprintf(reach, evilOrigin+"/reads"))), "state=failed", ""},
		{"reads from its own origin", script("own", answers(fmt.Sprintf(reach, loginOrigin+"/nothing"))), "state=reached", ""},
		{"reads from kioskd", script("kioskd", answers(fmt.Sprintf(reach, b.kioskd.URL+"/browser/tasks"))), "state=failed", ""},
		{"opens a window", script("window", `window.open("`+loginOrigin+`/opened"); `+back), "state=s&code=c", ""},
		{"downloads", script("downloads", `location = "/file"; setTimeout(() => { `+back+` }, 500)`), "state=s&code=c", ""},
		{"asks a question", script("asks", `if (!confirm("?")) { `+back+` }`), "state=s&code=c", ""},
		{"prints", script("prints", `print(); `+back), "state=s&code=c", ""},
		{"opens a file picker", script("picks", `file.click(); `+back), "state=s&code=c", ""},
		{"asks for the place", script("place", answers(`() => new Promise((yes, no) => navigator.geolocation.getCurrentPosition(yes, no))`)), "state=failed", ""},
		{"views a file", script("views", `location = "file:///etc/passwd"; setTimeout(() => { `+back+` }, 500)`), "state=s&code=c", ""},
	}
	b.run()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if query, failure := b.open(row.path, nil); query != row.query || failure != row.failure {
				t.Errorf("%q %q, want %q %q", query, failure, row.query, row.failure)
			}
			b.showsPanel()
		})
	}
	for _, s := range b.seen {
		if strings.HasPrefix(s, "evil.example") {
			t.Errorf("a page reached %s", s)
		}
	}
	if left, _ := filepath.Glob(b.profile + "/**/evil*"); len(left) > 0 {
		t.Errorf("downloaded: %v", left)
	}
}

// TestLocalNetwork checks that login pages at public addresses reach the card service, and
// no other page does.
func TestLocalNetwork(t *testing.T) {
	b := newBench(t)
	b.serveCards()
	b.page("/card", `<script>fetch("`+cardService+`/").then(r => r.text(), () => "refused").then(x => location = "`+callbackURL+`?state=" + x)</script>`)
	b.run()
	if query, failure := b.open("/card", nil); query != "state=card" || failure != "" {
		t.Errorf("a login page: %q %q", query, failure)
	}

	// A page that may be shown, but is not one of a login. Nothing but the policy refuses it.
	b.page("/panel", `<script>fetch("`+cardService+`/").then(r => r.text(), () => "refused").then(x => document.title = x)</script>`)
	b.kioskd.Config.Handler = http.HandlerFunc(b.serve)
	w, err := openWindow(t.Context(), b.options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.stop() }()
	for address, want := range map[string]string{b.kioskd.URL + "/panel": "refused", loginOrigin + "/panel": "card"} {
		w.send(w.session, "Fetch.disable", nil)
		w.send(w.session, "Page.navigate", map[string]any{"url": address})
		if got := w.title(t); got != want {
			t.Errorf("%s: the card service is %q, want %q", address, got, want)
		}
	}
}

// title returns the title of the page as soon as it has one.
func (w *window) title(t *testing.T) string {
	t.Helper()
	var got struct {
		Result struct{ Value string }
	}
	wait := "new Promise(yes => { const look = () => document.title ? yes(document.title) : setTimeout(look, 20); look() })"
	for {
		// The promise is lost when the page before it goes.
		err := w.call(t.Context(), w.session, "Runtime.evaluate", map[string]any{"expression": wait, "awaitPromise": true, "returnByValue": true}, &got)
		if err == nil && got.Result.Value != "" {
			return got.Result.Value
		}
	}
}

// TestChromiumEnds checks that Chromium starts again when it is killed, hangs or uses too
// much memory.
func TestChromiumEnds(t *testing.T) {
	b := newBench(t)
	b.page("/wait", "wait")
	b.run()
	pid := b.pid
	if _, failure := b.open("/wait", func() { _ = syscall.Kill(pid(), syscall.SIGKILL) }); failure != Crashed {
		t.Errorf("killed in a login: %q", failure)
	}
	b.showsPanel()
	if size := memoryOf(pid()); size < 20<<20 || size > 4<<30 {
		t.Errorf("Chromium uses %d bytes", size)
	}
	_ = syscall.Kill(pid(), syscall.SIGKILL)
	b.showsPanel()
}

// TestChromiumHangs checks that a Chromium that does not answer is replaced.
func TestChromiumHangs(t *testing.T) {
	b := newBench(t)
	b.page("/wait", "wait")
	b.options.look, b.options.answer = 200*time.Millisecond, 2*time.Second
	b.run()
	if _, failure := b.open("/wait", func() { _ = syscall.Kill(b.pid(), syscall.SIGSTOP) }); failure != Crashed {
		t.Errorf("stopped in a login: %q", failure)
	}
	b.showsPanel()
}

// TestMemory checks that a Chromium with too much memory is replaced between visits, and
// at once when it has twice as much.
func TestMemory(t *testing.T) {
	for _, size := range []int64{40 << 20, 1 << 20} {
		b := newBench(t)
		b.options.look, b.options.MaxMemory = 200*time.Millisecond, size
		b.page("/wait", "wait")
		b.run()
		b.showsPanel() // the next one
		if size == 1<<20 {
			b.link.SetBusy(true)
			b.showsPanel()
		}
	}
}

// TestKioskdStops checks that the browser waits for a kioskd that was restarted, and that a
// login whose kioskd is gone ends.
func TestKioskdStops(t *testing.T) {
	b := newBench(t)
	b.page("/wait", "wait")
	b.run()
	if _, failure := b.open("/wait", func() { b.kioskd.CloseClientConnections() }); failure != Lost {
		t.Errorf("without a connection: %q", failure)
	}
	b.showsPanel()
	for !await(b.t, b.ready) {
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := b.link.Open(ctx, loginOrigin+"/wait", callbackURL, cancel)
	if err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
	b.showsPanel()
}

// pid returns the process id of the running Chromium.
func (b *bench) pid() int {
	t := b.t
	t.Helper()
	lock, err := filepath.Glob(b.profile + "/*/SingletonLock")
	if err != nil || len(lock) != 1 {
		t.Fatalf("%v %v", lock, err)
	}
	name, err := os.Readlink(lock[0]) // host-PID
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(name[strings.LastIndexByte(name, '-')+1:], &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}
