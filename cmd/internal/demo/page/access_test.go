package page

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"smartkiosk/cmd/internal/demo/page/browsertest"
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

// tabTo presses Tab until an element has the focus, as a person without a mouse
// does. It checks that the focus is visible at every stop.
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
			t.Errorf("the focus is not visible on %s", f.What)
		}
		if f.There {
			return
		}
	}
	t.Fatalf("Tab does not reach %s", selector)
}

// A digit that is typed on a keyboard does not show on the screen's keys while it is held
// down. Bystanders would see the PIN.
func TestTypedDigitsAreNotHighlighted(t *testing.T) {
	_, ctx := openPage(t, nil)
	tabTo(t, ctx, ".choose")
	browsertest.Do(t, ctx, chromedp.KeyEvent(kb.Enter))
	tabTo(t, ctx, "[data-insert=valid]")
	browsertest.Do(t, ctx, chromedp.KeyEvent(kb.Enter))
	browsertest.Until(t, ctx, screenIs("pin"))
	looks := func() string {
		t.Helper()
		return browsertest.Get(t, ctx, chromedp.Evaluate[string](`JSON.stringify([...document.querySelectorAll(".kp-key")].map((key) => {
			const style = getComputedStyle(key);
			return [key.outerHTML, key.matches(":active, :focus, :hover"), style.backgroundColor, style.color, style.boxShadow, style.transform];
		}))`))
	}
	before := looks()
	if !strings.Contains(before, `data-key=\"7\"`) {
		t.Fatalf("the page has no keys: %s", before)
	}
	if _, err := chromedp.Call(ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: "keyDown", Key: "7", Text: "7"}); err != nil {
		t.Fatal(err)
	}
	browsertest.Until(t, ctx, "document.querySelectorAll('.kp-on').length === 1") // the digit has arrived
	if during := looks(); during != before {
		t.Errorf("while 7 is held down the keys look like\n%s\nand before like\n%s", during, before)
	}
}

func TestKeyboardAlone(t *testing.T) {
	_, ctx := openPage(t, nil)
	do := func(keys string) { t.Helper(); browsertest.Do(t, ctx, chromedp.KeyEvent(keys)) }
	until := func(expression string) { t.Helper(); browsertest.Until(t, ctx, expression) }
	typed := func(n int) string { return fmt.Sprintf("document.querySelectorAll('.kp-on').length === %d", n) }

	// The language: L, and * on the welcome screen.
	for _, press := range []struct{ key, language string }{{"l", "en"}, {"*", "nn"}, {"l", "se"}, {"*", "nb"}} {
		do(press.key)
		until("document.querySelector('.kp-live [lang=" + press.language + "]')")
	}

	// Choose a card by keyboard. Escape closes the choice and does not cancel a visit.
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

	// * clears the digits, and cancels the visit when there are no digits.
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

	// Enter means # wherever the focus is, except on a key that the focus was moved to.
	do("7391" + kb.Enter)
	until(screenIs("granted"))
	tabTo(t, ctx, "#hub")
	do(" ")
	until("!document.querySelector('.offline').hidden")
	tabTo(t, ctx, ".feed summary")
	do(kb.Enter)
	until("document.querySelector('.feed details[open] .raw')?.textContent.includes('granted')")

	// Press the panel's keys by Tab and Enter.
	tabTo(t, ctx, ".remove")
	do(kb.Enter)
	tabTo(t, ctx, "[data-key=L]")
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

// TestMouseThenEnter clicks the PIN and presses Enter. Enter must mean OK. It must
// repeat neither the last clicked key nor the button that inserted the card.
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

// TestScreenReader checks the accessibility tree that a screen reader gets.
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
	wants("group: Keys", "button: Nynorsk", "button: * Correct or cancel", "button: # OK", "StaticText: Insert your card")

	browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(".choose")))
	wants("dialog: Which card?", "button: Valid card Everything in order: let in.", "button: Close")
	browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS("[data-insert=valid]")))
	browsertest.Until(t, ctx, screenIs("pin"))
	browsertest.Do(t, ctx, chromedp.KeyEvent("73"))
	browsertest.Until(t, ctx, "document.querySelectorAll('.kp-on').length === 2")
	wants("StaticText: Enter your PIN", "StaticText: 2 digits typed", "button: Take out the card: Valid card")
}

// axTree returns Chromium's accessibility tree, each node as "role: name".
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

// TestAnnouncedOnce counts the changes of the live region, because a screen reader
// speaks at each. It must speak once per screen, in the screen's language, and stay
// silent when a digit is typed.
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

func TestReducedMotion(t *testing.T) {
	_, ctx := openPage(t, nil)
	const moving = "document.getAnimations().length"
	if n := browsertest.Get(t, ctx, chromedp.Evaluate[int](moving)); n == 0 {
		t.Error("nothing moves on the welcome screen")
	}
	browsertest.Do(t, ctx, still("light"), insert("valid"))
	browsertest.Until(t, ctx, screenIs("pin"))
	browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(".remove")))
	browsertest.Until(t, ctx, "document.querySelector('.mouth .card').hidden")
	browsertest.Until(t, ctx, moving+" === 0")
}
