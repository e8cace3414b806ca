package page

import (
	"fmt"
	"path/filepath"
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
					if i == 0 {
						browsertest.Do(t, ctx, browsertest.Screenshot(filepath.Join(dir, name+"-"+language+".png")))
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
