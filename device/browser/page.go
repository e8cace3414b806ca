package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Failure says why a login page ended without an answer of the broker.
type Failure string

const (
	Navigation Failure = "navigation" // the page went to an address that is not allowed
	Unreached  Failure = "unreached"  // an address cannot be reached, or its server reports a fault
	Slow       Failure = "slow"       // the first page did not come in time
	Crashed    Failure = "crashed"    // Chromium ended, hung or used too much memory
	Lost       Failure = "lost"       // kioskd and the browser have no connection
)

// loadWithin is how long the first page of a login may take.
const loadWithin = 20 * time.Second

// window is Chromium with one tab, under control.
type window struct {
	*process
	log     *slog.Logger
	session string // of the tab
	target  string
	panel   string // URL of the panel page
	ends    chan end

	mu      sync.Mutex
	rules   rules
	login   string      // the id of the login in progress; "" for none
	shown   bool        // the tab shows a page of it
	opened  bool        // its first page has loaded
	slow    *time.Timer // of the first page
	blocked bool        // the panel page could not be loaded
	toPanel bool        // the tab was sent to the panel page, and has not asked for it yet
}

// end is what became of a login page. Query is the broker's answer, without a Failure.
// Opened says only that the first page is there.
type end struct {
	Login   string  `json:"login"`
	Opened  bool    `json:"opened,omitempty"`
	Query   string  `json:"query,omitempty"`
	Failure Failure `json:"failure,omitempty"`
}

// openWindow starts Chromium and shows the panel page.
func openWindow(ctx context.Context, o Options) (*window, error) {
	w := &window{log: o.Log, panel: o.Panel, rules: rules{panel: originOf(o.Panel)}, ends: make(chan end, 16)}
	var err error
	if w.process, err = startProcess(o.Command, o.Profiles, o.Log, w.on); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	if err := w.setUp(ctx); err != nil {
		_ = w.stop()
		return nil, fmt.Errorf("cannot control Chromium: %w", err)
	}
	return w, nil
}

func (w *window) setUp(ctx context.Context) error {
	session, target, err := w.attach(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.session, w.target = session, target
	w.mu.Unlock()
	if err := w.call(ctx, "", "Browser.setDownloadBehavior", map[string]any{"behavior": "deny"}, nil); err != nil {
		return err
	}
	for _, c := range restrictions {
		if err := w.call(ctx, session, c.method, c.params, nil); err != nil {
			return err
		}
	}
	for _, method := range []string{"Page.setInterceptFileChooserDialog", "Emulation.setFocusEmulationEnabled"} {
		if err := w.call(ctx, session, method, map[string]any{"enabled": true}, nil); err != nil {
			return err
		}
	}
	// Closes what opens a window of its own.
	if err := w.call(ctx, "", "Target.setDiscoverTargets", map[string]any{"discover": true}, nil); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.showPanel()
	return nil
}

// showPanel sends the tab to the panel page. The caller holds mu.
func (w *window) showPanel() {
	w.toPanel = true
	w.send(w.session, "Page.navigate", map[string]any{"url": w.panel})
}

// restrictions hold a tab, and each frame that has a process of its own.
var restrictions = []struct {
	method string
	params any
}{
	{"Fetch.enable", map[string]any{"patterns": []any{map[string]any{"urlPattern": "*"}}}},
	{"Network.enable", nil},
	{"Network.setBypassServiceWorker", map[string]any{"bypass": true}},
	{"Page.enable", nil},
	{"Inspector.enable", nil},
	{"Target.setAutoAttach", map[string]any{"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true}},
}

// on handles an event of Chromium. It waits for nothing.
func (w *window) on(e event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e.Method {
	case "Fetch.requestPaused":
		w.request(e)
	case "Target.attachedToTarget":
		w.frame(e)
	case "Target.targetCreated":
		w.other(e)
	case "Page.frameNavigated":
		w.navigated(e)
	case "Page.loadEventFired":
		w.loaded(e)
	case "Network.responseReceived":
		w.answered(e)
	case "Page.javascriptDialogOpening":
		w.send(e.Session, "Page.handleJavaScriptDialog", map[string]any{"accept": false})
	case "Inspector.targetCrashed":
		if e.Session == w.session {
			w.fail(Crashed)
			w.kill()
		}
	}
}

// request lets a request pass or fails it.
func (w *window) request(e event) {
	var r struct {
		ID      string `json:"requestId"`
		Request struct {
			URL string `json:"url"`
		} `json:"request"`
		Frame string `json:"frameId"`
		Type  string `json:"resourceType"`
	}
	if json.Unmarshal(e.Params, &r) != nil {
		return
	}
	document := r.Type == "Document"
	main := document && r.Frame == w.target // the main frame has the id of its target
	// A login may begin before the tab has asked for the panel page. That request is not
	// the login's.
	ours := main && w.toPanel && r.Request.URL == w.panel
	if ours {
		w.toPanel = false
	}
	switch w.rules.decide(r.Request.URL, main, document) {
	case allowed:
		w.send(e.Session, "Fetch.continueRequest", map[string]any{"requestId": r.ID})
		return
	case callback:
		w.finish(end{Login: w.login, Query: queryOf(r.Request.URL)})
	default:
		if ours {
			break // the login's page replaces it
		}
		w.log.Warn("request of a page refused", "origin", originOf(r.Request.URL), "kind", r.Type)
		if main && w.login != "" {
			w.fail(Navigation)
		}
	}
	w.send(e.Session, "Fetch.failRequest", map[string]any{"requestId": r.ID, "errorReason": "BlockedByClient"})
}

// frame restricts a frame or worker that has a process of its own, and lets it run.
func (w *window) frame(e event) {
	var a struct {
		Session string `json:"sessionId"`
		Info    struct {
			Type string `json:"type"`
		} `json:"targetInfo"`
	}
	if json.Unmarshal(e.Params, &a) != nil || e.Session == "" {
		return
	}
	for _, c := range restrictions {
		w.send(a.Session, c.method, c.params) // a worker refuses those that it does not know
	}
	w.send(a.Session, "Runtime.runIfWaitingForDebugger", nil)
}

// other closes a window that a page has opened.
func (w *window) other(e event) {
	var c struct {
		Info struct {
			ID   string `json:"targetId"`
			Type string `json:"type"`
			URL  string `json:"url"`
		} `json:"targetInfo"`
	}
	// Chromium makes parts of its own window of such pages, too.
	own := json.Unmarshal(e.Params, &c) != nil || strings.HasPrefix(c.Info.URL, "chrome://")
	if !own && c.Info.Type == "page" && c.Info.ID != w.target {
		w.log.Warn("a page's new window was closed")
		w.send("", "Target.closeTarget", map[string]any{"targetId": c.Info.ID})
	}
}

// navigated handles that the tab shows another document, perhaps Chromium's own page about
// an error.
func (w *window) navigated(e event) {
	var n struct {
		Frame struct {
			ID     string `json:"id"`
			URL    string `json:"url"`
			Failed string `json:"unreachableUrl"`
		} `json:"frame"`
	}
	if e.Session != w.session || json.Unmarshal(e.Params, &n) != nil || n.Frame.ID != w.target {
		return
	}
	switch {
	case w.login == "":
		w.blocked = n.Frame.Failed != "" || originOf(n.Frame.URL) != w.rules.panel
	case n.Frame.Failed == w.panel && !w.shown:
		// The panel page, whose request came after the login had begun.
	case n.Frame.Failed != "" && w.rules.decide(n.Frame.Failed, true, true) == refused:
		w.fail(Navigation) // Chromium's policy was faster
	case n.Frame.Failed != "":
		w.fail(Unreached)
	default:
		w.shown = originOf(n.Frame.URL) != w.rules.panel
	}
}

// loaded tells kioskd that the first page of a login is there.
func (w *window) loaded(e event) {
	if e.Session == w.session && w.login != "" && w.shown && !w.opened {
		w.opened = true
		w.slow.Stop()
		w.tell(end{Login: w.login, Opened: true})
	}
}

// answered ends a login whose page is an error of its server.
func (w *window) answered(e event) {
	var a struct {
		Frame    string `json:"frameId"`
		Type     string `json:"type"`
		Response struct {
			Status int `json:"status"`
		} `json:"response"`
	}
	if e.Session == w.session && json.Unmarshal(e.Params, &a) == nil && w.login != "" &&
		a.Type == "Document" && a.Frame == w.target && a.Response.Status >= 500 {
		w.fail(Unreached)
	}
}

// open shows a login page.
func (w *window) open(t task) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.login, w.shown, w.opened = t.Login, false, false
	w.rules = rules{panel: w.rules.panel, origins: t.Origins, callback: t.Callback}
	w.slow = time.AfterFunc(loadWithin, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.login == t.Login && !w.opened {
			w.fail(Slow)
		}
	})
	w.send(w.session, "Page.navigate", map[string]any{"url": t.Address})
}

// close shows the panel page again if the login is in progress.
func (w *window) close(login string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if login != "" && w.login == login {
		w.back()
	}
}

// fail and finish end the login in progress. The caller holds mu.
func (w *window) fail(why Failure) {
	if w.login != "" {
		w.log.Warn("a login page failed", "reason", why)
		w.finish(end{Login: w.login, Failure: why})
	}
}

func (w *window) finish(e end) {
	w.back()
	w.tell(e)
}

func (w *window) tell(e end) {
	select {
	case w.ends <- e:
	default: // kioskd has taken none of many: it has given up this login
	}
}

// back shows the panel page and forgets the login's cookies. The caller holds mu.
func (w *window) back() {
	w.slow.Stop()
	w.login, w.rules = "", rules{panel: w.rules.panel}
	w.showPanel()
	w.send("", "Storage.clearCookies", nil)
	w.send(w.session, "Network.clearBrowserCache", nil)
}

// kill makes the pipe end, so that Chromium is started again. The caller may hold mu.
func (w *window) kill() {
	if p := w.command.Process; p != nil {
		_ = p.Kill()
	}
}

// alive returns an error if the tab does not answer in time. It also loads the panel page
// again if kioskd did not answer.
func (w *window) alive(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := w.call(ctx, w.session, "Runtime.evaluate", map[string]any{"expression": "1"}, nil); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.login == "" && w.blocked {
		w.showPanel()
	}
	return nil
}
