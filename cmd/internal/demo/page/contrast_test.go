package page

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"smartkiosk/cmd/internal/demo/page/browsertest"
)

// contrasts measures every visible text against the colours behind it. It lists the
// texts below WCAG 2.2 §1.4.3 (AA): 4.5, or 3 for large text. A gradient counts as
// the background colour under it, so every gradient has one. A canvas turns any CSS
// colour into numbers.
const contrasts = `(() => {
	const pixel = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const rgba = colour => {
		pixel.clearRect(0, 0, 1, 1);
		pixel.fillStyle = colour;
		pixel.fillRect(0, 0, 1, 1);
		const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data;
		return [r, g, b, a / 255];
	};
	const over = ([r, g, b, a], under) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a));
	const behind = e => {
		const layers = [];
		for (; e; e = e.parentElement) layers.unshift(rgba(getComputedStyle(e).backgroundColor));
		return layers.reduce((under, layer) => over(layer, under), [255, 255, 255]);
	};
	const luminance = colour => {
		const [r, g, b] = colour.map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const seen = new Map();
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const e = texts.currentNode.parentElement;
		if (!texts.currentNode.data.trim() || !e.checkVisibility({visibilityProperty: true}) || e.closest(".kp-unseen")) continue;
		const style = getComputedStyle(e);
		const size = parseFloat(style.fontSize);
		const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
		const back = behind(e);
		const [a, b] = [luminance(over(rgba(style.color), back)), luminance(back)].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05);
		seen.set(e, {text: texts.currentNode.data.trim().slice(0, 40), ratio, enough: ratio >= (large ? 3 : 4.5)});
	}
	return [...seen.values()];
})()`

func TestContrast(t *testing.T) {
	_, ctx := openPage(t, nil)
	measured := 0
	measure := func(state string) {
		t.Helper()
		for _, scheme := range []string{"light", "dark"} {
			browsertest.Do(t, ctx, still(scheme))
			type contrast struct {
				Text   string
				Ratio  float64
				Enough bool
			}
			for _, c := range browsertest.Get(t, ctx, chromedp.Evaluate[[]contrast](contrasts)) {
				measured++
				if !c.Enough {
					t.Errorf("%s, %s: %q has a contrast of %.2f", state, scheme, c.Text, c.Ratio)
				}
			}
		}
	}
	measure("welcome")
	browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(".choose")))
	measure("choice")
	for _, card := range fakeCards {
		if card.Name != "valid" {
			browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(".choose")))
		}
		browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS("[data-insert="+card.Name+"]")))
		browsertest.Until(t, ctx, "!document.querySelector('.mouth .card').hidden")
		browsertest.Do(t, ctx, chromedp.KeyEvent("1"+kb.Enter)) // a wrong PIN where one is asked for
		if card.Name == "valid" {
			measure("wrong PIN")
		}
		browsertest.Do(t, ctx, chromedp.KeyEvent(fakePIN+kb.Enter), chromedp.Click(chromedp.CSS(".switch")))
		measure(card.Name)
		browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(".remove")))
		browsertest.Until(t, ctx, screenIs("welcome"))
	}
	browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(".feed summary")))
	measure("JSON")
	if measured < 300 {
		t.Errorf("only %d texts were measured", measured)
	}
}
