package page

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"smartkiosk/cmd/internal/demo/page/browsertest"
	"smartkiosk/kiosk"
)

// longScreens are the screens with the longest texts, first the welcome screen.
var longScreens = []kiosk.Screen{
	{ID: kiosk.ScreenWelcome},
	{ID: kiosk.ScreenPIN, OnReader: true, Tries: 1, TriesKnown: true},
	{ID: kiosk.ScreenPIN, Typed: 16, Notice: kiosk.NoticeTooLong, Digits: 16},
	{ID: kiosk.ScreenPIN, WrongPIN: true, Tries: 1, TriesKnown: true},
	{ID: kiosk.ScreenGranted, Name: "Bartholomeus-Kristoffer Nordmann", Offline: true},
	{ID: kiosk.ScreenDenied, Reason: kiosk.OfflineUnknown},
	{ID: kiosk.ScreenOutOfService, Reason: kiosk.OutboxFailed},
	{ID: kiosk.ScreenPrivacy},
	{ID: kiosk.ScreenRemoveCard, Insistent: true, Speech: true},
}

// present shows a screen and returns its heading.
func (k *fakeKiosk) present(s kiosk.Screen) (heading string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.show(s)
	return k.words.Frame(s).Heading
}

// offScreen is JavaScript that returns what the window does not show whole.
const offScreen = `(() => {
		const root = document.documentElement, panel = document.querySelector("kiosk-panel").getBoundingClientRect();
		return [
			root.scrollWidth > innerWidth || root.scrollHeight > innerHeight ? "the page scrolls" : "",
			panel.width < innerWidth || panel.height < innerHeight ? "the panel does not fill the window" : "",
			...[...document.querySelectorAll(".kp-display, .kp-words, .kp-lamp, .kp-language, .kp-key")].map(e => {
				const b = e.getBoundingClientRect();
				return b.left < 0 || b.top < 0 || b.right > innerWidth || b.bottom > innerHeight ? e.className + " is off screen" : "";
			}),
			...[...document.querySelectorAll(".kp-glass, .kp-key")].map(e =>
				e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1 ? e.className + " holds more than it shows" : ""),
		].filter(Boolean);
	})()`

// TestPanelFillsTheScreen opens the page of the panel alone at the sizes of
// terminals and of a telephone, in every language. It must fill the window without
// scrolling, nothing may be cut off, and the letters must grow with the window. SCREENSHOTS=folder
// keeps the pictures.
func TestPanelFillsTheScreen(t *testing.T) {
	k, url := serveFake(t, nil)
	ctx := browsertest.Start(t)
	dir := shots(t)
	heading := map[string]float64{}
	for _, size := range [][2]int64{{800, 480}, {1024, 600}, {1280, 800}, {480, 800}, {600, 1024}, {320, 568}} {
		for _, text := range []string{"", "large"} {
			name := fmt.Sprintf("panel-%dx%d%s", size[0], size[1], text)
			browsertest.Do(t, ctx, chromedp.EmulateViewport(size[0], size[1]), still("light"), chromedp.Navigate(url+"/panel/?text="+text))
			browsertest.Until(t, ctx, "document.querySelector('.kp-heading')")
			heading[name] = browsertest.Get(t, ctx, chromedp.Evaluate[float64](`parseFloat(getComputedStyle(document.querySelector(".kp-heading")).fontSize)`))
			for _, language := range []string{"nb", "en", "nn", "se"} {
				for i, s := range longScreens {
					s.Language = language
					shown := k.present(s)
					browsertest.Until(t, ctx, fmt.Sprintf("document.querySelector('.kp-live [lang=%s] .kp-heading')?.textContent === %q", language, shown))
					if i == 0 || i == len(longScreens)-1 {
						browsertest.Do(t, ctx, browsertest.Screenshot(filepath.Join(dir, fmt.Sprintf("%s-%s-%d.png", name, language, i))))
					}
					for _, what := range browsertest.Get(t, ctx, chromedp.Evaluate[[]string](offScreen)) {
						t.Errorf("%s, %s, %s: %s", name, language, shown, what)
					}
				}
			}
		}
	}
	for _, grows := range [][2]string{
		{"panel-800x480", "panel-1024x600"}, {"panel-1024x600", "panel-1280x800"}, {"panel-320x568", "panel-600x1024"},
		{"panel-800x480", "panel-800x480large"}, {"panel-320x568", "panel-320x568large"},
	} {
		if heading[grows[0]] >= heading[grows[1]] {
			t.Errorf("the heading has %v px in %s and %v px in %s", heading[grows[0]], grows[0], heading[grows[1]], grows[1])
		}
	}
}

// TestSpeechKeys checks that the panel has keys for repeat and volume, by name, while
// the kiosk speaks, and only then. The R and V keys of a keyboard do the same.
func TestSpeechKeys(t *testing.T) {
	k, url := serveFake(t, nil)
	ctx := browsertest.Start(t)
	browsertest.Do(t, ctx, chromedp.Navigate(url+"/panel/"))
	names := func() []string {
		return browsertest.Get(t, ctx, chromedp.Evaluate[[]string](`[...document.querySelectorAll("[data-key=R], [data-key=V]")].filter(e => e.checkVisibility()).map(e => e.lang + " " + e.textContent)`))
	}
	show := func(s kiosk.Screen) {
		t.Helper()
		s.ID = kiosk.ScreenWelcome
		k.present(s)
		browsertest.Until(t, ctx, fmt.Sprintf("document.querySelector('.kp-live [lang=%s]') && document.querySelector('[data-key=R]').hidden === %v", s.Language, !s.Speech))
	}
	show(kiosk.Screen{Language: "en"})
	if got := names(); len(got) > 0 {
		t.Errorf("without speech there are keys for it: %q", got)
	}
	show(kiosk.Screen{Language: "nn", Speech: true})
	if got, want := names(), []string{"nn Les opp att", "nn Lydstyrke"}; !slices.Equal(got, want) {
		t.Errorf("the keys are %q, want %q", got, want)
	}
	browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS("[data-key=R]")), chromedp.KeyEvent("v"))
	for _, want := range "RV" {
		if got := <-k.other; got != want {
			t.Errorf("the panel sent %q, want %q", got, want)
		}
	}
}
