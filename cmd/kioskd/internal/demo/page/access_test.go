package page

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"smartkiosk/cmd/kioskd/internal/demo/page/browsertest"
)

// openPage serves the page over a fake kiosk and opens it in Chromium.
func openPage(t *testing.T, wrap func(http.Handler) http.Handler) (*fakeKiosk, context.Context) {
	t.Helper()
	k, url := serveFake(t, wrap)
	ctx := browsertest.Start(t)
	browsertest.Do(t, ctx, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(url))
	browsertest.Until(t, ctx, screenIs("welcome"))
	return k, ctx
}

// tabTo presses the Tab key until an element has the focus, as someone without
// a mouse would, and looks that every stop on the way can be seen.
func tabTo(t *testing.T, ctx context.Context, selector string) {
	t.Helper()
	for range 40 {
		browsertest.Do(t, ctx, chromedp.KeyEvent(kb.Tab))
		type focus struct {
			There   bool
			What    string
			Outline float64
		}
		f := browsertest.Get(t, ctx, chromedp.Evaluate[focus](fmt.Sprintf(`(() => {
			const e = document.activeElement;
			const drawn = e.matches(".switch input") ? e.nextElementSibling : e; // the input lies under its picture
			return {There: e.matches(%q), What: e.outerHTML.slice(0, 120), Outline: parseFloat(getComputedStyle(drawn).outlineWidth)};
		})()`, selector)))
		if f.Outline < 2 && !strings.HasPrefix(f.What, "<body") {
			t.Errorf("no focus is to be seen on %s", f.What)
		}
		if f.There {
			return
		}
	}
	t.Fatalf("the Tab key does not lead to %s", selector)
}

func TestKeyboardAlone(t *testing.T) {
	_, ctx := openPage(t, nil)
	do := func(keys string) { t.Helper(); browsertest.Do(t, ctx, chromedp.KeyEvent(keys)) }
	until := func(expression string) { t.Helper(); browsertest.Until(t, ctx, expression) }
	typed := func(n int) string { return fmt.Sprintf("document.querySelectorAll('.kp-on').length === %d", n) }

	// The language: L, and * on the welcome screen.
	do("l")
	until("document.querySelector('.kp-live [lang=en]')")
	do("*")
	until("document.querySelector('.kp-live [lang=nb]')")

	// A card by the keyboard; Escape leaves the choice and cancels no visit.
	tabTo(t, ctx, ".choose")
	do(kb.Enter)
	until("document.querySelector('dialog:modal')")
	do("7" + kb.Escape)
	until("!document.querySelector('dialog:modal')")
	do(kb.Enter)
	tabTo(t, ctx, "[data-insert=valid]")
	do(kb.Enter)
	until(screenIs("pin"))
	until(typed(0))
	until("document.activeElement.matches('.kp-display')") // from where one goes on

	// * clears what is typed, and cancels when nothing is.
	do("73" + kb.Backspace)
	until(typed(0) + " && " + screenIs("pin"))
	do(kb.Escape)
	until(screenIs("cancelled"))

	tabTo(t, ctx, ".remove")
	do(kb.Enter)
	until(screenIs("welcome"))
	tabTo(t, ctx, ".choose")
	do(kb.Enter)
	tabTo(t, ctx, "[data-insert=valid]")
	do(" ")
	until(screenIs("pin"))

	// Enter is # wherever the focus was left, but for a key it was moved to.
	do("7391" + kb.Enter)
	until(screenIs("granted"))
	tabTo(t, ctx, "#hub")
	do(" ")
	until("!document.querySelector('.offline').hidden")
	tabTo(t, ctx, ".feed summary")
	do(kb.Enter)
	until("document.querySelector('.feed details[open] .raw')?.textContent.includes('granted')")

	// The keys of the panel by Tab and Enter.
	tabTo(t, ctx, ".remove")
	do(kb.Enter)
	tabTo(t, ctx, ".kp-language")
	do(kb.Enter)
	until("document.querySelector('.kp-live [lang=en]')")
	tabTo(t, ctx, ".choose")
	do(kb.Enter)
	tabTo(t, ctx, "[data-insert=revoked]")
	do(kb.Enter)
	until(screenIs("pin"))
	for _, key := range fakePIN + "#" {
		tabTo(t, ctx, fmt.Sprintf("[data-key='%c']", key))
		do(kb.Enter)
	}
	until(screenIs("denied"))
	for _, what := range []string{"denied", "revoked", "Kari Nordmann (not proven)", "#4"} {
		until(fmt.Sprintf("document.querySelector('.feed li:first-child').textContent.includes(%q)", what))
	}
}

// TestMouseThenEnter clicks the PIN and presses Enter: it is OK, and not once
// more the key that was clicked, nor the button that let the card in.
func TestMouseThenEnter(t *testing.T) {
	_, ctx := openPage(t, nil)
	browsertest.Do(t, ctx, insert("valid"))
	browsertest.Until(t, ctx, screenIs("pin"))
	for i, digit := range fakePIN {
		browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(fmt.Sprintf("[data-key='%c']", digit))))
		browsertest.Until(t, ctx, fmt.Sprintf("document.querySelectorAll('.kp-on').length === %d", i+1))
	}
	browsertest.Do(t, ctx, chromedp.KeyEvent(kb.Enter))
	browsertest.Until(t, ctx, screenIs("granted"))
}

// TestKeysInOrder holds the first key up on its way until all are typed: the
// others must wait behind it, or a good PIN becomes a wrong one.
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

// TestScreenReader reads the page as Chromium tells it to a screen reader.
func TestScreenReader(t *testing.T) {
	_, ctx := openPage(t, nil)
	wants := func(wants ...string) {
		t.Helper()
		tree := axTree(t, ctx)
		for _, want := range wants {
			if !slices.Contains(tree, want) {
				t.Errorf("a screen reader finds no %s in:\n%s", want, strings.Join(tree, "\n"))
			}
		}
		for _, node := range tree {
			if role, name, _ := strings.Cut(node, ": "); name == "" && slices.Contains([]string{"button", "switch", "link", "dialog", "group", "image"}, role) {
				t.Errorf("a %s has no name in:\n%s", role, strings.Join(tree, "\n"))
			}
		}
	}
	wants("heading: Smartkiosk demo", "heading: What a backend sees", "region: The kiosk",
		"switch: Hub reachable", "button: Insert a card", "group: Taster", "button: English",
		"button: 1", "button: 0", "button: * Rett eller avbryt", "button: # OK", "status: ")

	browsertest.Do(t, ctx, chromedp.KeyEvent("l"))
	browsertest.Until(t, ctx, "document.querySelector('.kp-live [lang=en]')")
	wants("group: Keys", "button: Norsk", "button: * Correct or cancel", "button: # OK", "StaticText: Insert your card")

	browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(".choose")))
	wants("dialog: Which card?", "button: Valid card Everything in order: let in.", "button: Close")
	browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS("[data-insert=valid]")))
	browsertest.Until(t, ctx, screenIs("pin"))
	browsertest.Do(t, ctx, chromedp.KeyEvent("73"))
	browsertest.Until(t, ctx, "document.querySelectorAll('.kp-on').length === 2")
	wants("StaticText: Enter your PIN", "StaticText: 2 digits typed", "button: Take out the card: Valid card")
}

// axTree gives Chromium's accessibility tree, a node as "role: name".
func axTree(t *testing.T, ctx context.Context) []string {
	t.Helper()
	tree, err := chromedp.Call(ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		t.Fatal(err)
	}
	text := func(v *accessibility.Value) string {
		if v == nil {
			return ""
		}
		return strings.Trim(string(v.Value), `"`)
	}
	var nodes []string
	for _, n := range tree.Nodes {
		if !n.Ignored {
			nodes = append(nodes, text(n.Role)+": "+strings.TrimSpace(text(n.Name)))
		}
	}
	return nodes
}

// TestAnnouncedOnce counts how often the live region changes, which is how
// often a screen reader speaks: once a screen, in its language, and not when a
// digit is typed.
func TestAnnouncedOnce(t *testing.T) {
	_, ctx := openPage(t, nil)
	browsertest.Do(t, ctx, chromedp.Evaluate[chromedp.Void](`
		window.said = [];
		new MutationObserver(changes => {
			for (const c of changes) for (const n of c.addedNodes) said.push(n.lang + " " + n.firstChild.textContent);
			if (changes.some(c => c.target !== document.querySelector(".kp-live"))) said.push("a part changed");
		}).observe(document.querySelector(".kp-live"), {childList: true, subtree: true, characterData: true, attributes: true}); undefined`))
	browsertest.Do(t, ctx, insert("valid"))
	browsertest.Until(t, ctx, screenIs("pin"))
	for i, digit := range fakePIN {
		browsertest.Do(t, ctx, chromedp.KeyEvent(string(digit)))
		browsertest.Until(t, ctx, fmt.Sprintf("document.querySelectorAll('.kp-on').length === %d", i+1))
	}
	browsertest.Do(t, ctx, chromedp.KeyEvent("l"))
	browsertest.Until(t, ctx, "document.querySelector('.kp-live [lang=en]')")
	browsertest.Do(t, ctx, chromedp.KeyEvent(kb.Enter))
	browsertest.Until(t, ctx, screenIs("granted"))
	got := browsertest.Get(t, ctx, chromedp.Evaluate[[]string]("said"))
	if want := []string{"nb Tast PIN-koden", "en Enter your PIN", "en Welcome"}; !slices.Equal(got, want) {
		t.Errorf("a screen reader says %q, want %q", got, want)
	}
}

// recorder keeps all that a browser was sent, and all URLs it asked for.
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

// TestPINStaysSecret types a PIN and looks for its digits wherever they could
// have got to: a URL, an answer, the page.
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
		t.Errorf("the server sent the digit, or not the count:\n%s", sent)
	}
	for _, url := range rec.urls {
		if strings.Contains(url, "7") {
			t.Errorf("the digit is in a URL: %s", url)
		}
	}
}

// TestLost takes the panel's stream away under the page, and gives it back: the
// page says so, and heals.
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
