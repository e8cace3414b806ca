package page

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"smartkiosk/cmd/internal/demo/page/browsertest"
)

// screenIs returns a JavaScript expression that is true while the panel shows a
// screen.
func screenIs(name string) string {
	return fmt.Sprintf("document.querySelector('.kp-display')?.dataset.screen === %q", name)
}

// insert chooses a card with the mouse.
func insert(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		chromedp.Click(chromedp.CSS(".choose")),
		chromedp.Click(chromedp.CSS(fmt.Sprintf("[data-insert=%q]", name))),
	)
}

// still makes Chromium draw the page in a colour scheme and without animations, so
// that the test need not wait for them.
func still(scheme string) chromedp.Action[chromedp.Void] {
	return browsertest.Media(map[string]string{"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"})
}

// shots is the folder in which TestScreenshots leaves pictures for a person.
func shots(t *testing.T) string {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return t.TempDir()
	}
	return dir
}

// TestScreenshots shows each layout of the page at the sizes of a laptop and of a
// telephone, and checks that nothing is cut off or overflows. SCREENSHOTS=folder
// keeps the pictures.
func TestScreenshots(t *testing.T) {
	_, url := serveFake(t, nil)
	ctx := browsertest.Start(t)
	dir := shots(t)
	for _, size := range []struct {
		name          string
		width, height int64
		options       []chromedp.EmulateViewportOption
	}{
		{"1280x800", 1280, 800, nil},
		{"390x844", 390, 844, []chromedp.EmulateViewportOption{chromedp.EmulateMobile, chromedp.EmulateTouch}},
	} {
		shot := func(state string) {
			t.Helper()
			browsertest.Do(t, ctx, browsertest.Screenshot(filepath.Join(dir, size.name+"-"+state+".png")))
			over := browsertest.Get(t, ctx, chromedp.Evaluate[[]string](`[
				document.documentElement.scrollWidth > innerWidth ? "the page is wider than the window" : "",
				...[...document.querySelectorAll(".kp-glass, .kp-key, .kp-words, .choose, .cards button, .feed summary")]
					.filter(e => e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)
					.map(e => e.className + " holds more than it shows: " + e.innerText),
			].filter(Boolean)`))
			for _, what := range over {
				t.Errorf("%s %s: %s", size.name, state, what)
			}
		}
		browsertest.Do(t, ctx, chromedp.EmulateViewport(size.width, size.height, size.options...), still("light"), chromedp.Navigate(url))
		browsertest.Until(t, ctx, screenIs("welcome"))
		shot("welcome")
		browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(".choose")))
		shot("choice")
		browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(`[data-insert="valid"]`)))
		browsertest.Until(t, ctx, screenIs("pin"))
		browsertest.Do(t, ctx, chromedp.KeyEvent("739"))
		browsertest.Until(t, ctx, "document.querySelectorAll('.kp-on').length === 3")
		shot("pin")
		browsertest.Do(t, ctx, chromedp.KeyEvent("9"+kb.Enter))
		browsertest.Until(t, ctx, "document.querySelector('.kp-display').dataset.tone === 'bad'")
		shot("wrong-pin")
		browsertest.Do(t, ctx, chromedp.KeyEvent(fakePIN+kb.Enter))
		browsertest.Until(t, ctx, screenIs("granted"))
		shot("granted")
		browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(".remove")))
		browsertest.Until(t, ctx, screenIs("welcome"))
		browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(".switch")), insert("expired"))
		browsertest.Until(t, ctx, screenIs("denied"))
		shot("denied")
		browsertest.Do(t, ctx, insertNext("mute"))
		browsertest.Until(t, ctx, screenIs("failed"))
		browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(".switch")), chromedp.KeyEvent("l"), chromedp.Click(chromedp.CSS(".feed li:nth-child(2) summary")))
		shot("reversed-json")
		browsertest.Do(t, ctx, still("dark"))
		shot("dark")
		browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(".remove")))
		browsertest.Until(t, ctx, screenIs("welcome"))
		browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(".choose")))
		shot("dark-choice")
		browsertest.Do(t, ctx, chromedp.KeyEvent(kb.Escape), chromedp.KeyEvent("l"))
	}
}

// insertNext replaces the card by another.
func insertNext(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(chromedp.Click(chromedp.CSS(".remove")), insert(name))
}

// TestDoubleClick: the second click of a double click on a card, which falls on the
// keypad under the dialog, types no digit. A single click does.
func TestDoubleClick(t *testing.T) {
	k, url := serveFake(t, nil)
	ctx := browsertest.Start(t)
	typed := func() int {
		k.mu.Lock()
		defer k.mu.Unlock()
		return len(k.typed)
	}
	browsertest.Do(t, ctx, chromedp.Navigate(url))
	browsertest.Until(t, ctx, screenIs("welcome"))
	if !browsertest.Get(t, ctx, chromedp.Evaluate[bool](`!document.querySelector(".empty").hidden`)) {
		t.Error("the hint for the first visit is hidden before a visit")
	}
	second := `document.querySelector('[data-key="5"]').dispatchEvent(new MouseEvent("click", { bubbles: true, detail: 2 }))`
	browsertest.Do(t, ctx, insert("valid"))
	browsertest.Get(t, ctx, chromedp.Evaluate[bool](second))
	browsertest.Until(t, ctx, screenIs("pin"))
	browsertest.Do(t, ctx, chromedp.KeyEvent("7"))
	browsertest.Until(t, ctx, "document.querySelectorAll('.kp-on').length === 1")
	if n := typed(); n != 1 {
		t.Errorf("%d digits were typed, not the one of the keyboard", n)
	}
	browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(`[data-key="5"]`)))
	browsertest.Until(t, ctx, "document.querySelectorAll('.kp-on').length === 2")
}
