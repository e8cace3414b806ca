package screen

import (
	"strings"
	"testing"

	"smartkiosk/kiosk"

	"pgregory.net/rapid"
)

// TestPages checks that the pages of any text are the text itself, that each fits, and that
// every larger display shows each of them whole.
func TestPages(t *testing.T) {
	c := catalogue(t)
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-zæøå{}.]{1,30}`)
		line := rapid.SliceOfN(word, 0, 12)
		var lines []string
		for _, words := range rapid.SliceOfN(line, 1, 8).Draw(t, "lines") {
			lines = append(lines, strings.Join(words, " "))
		}
		text := strings.Join(lines, "\n")
		small := rapid.SampledFrom([]Form{Text16x2, Text20x4, Graphic128x64, Web}).Draw(t, "smallest")
		columns, rows := small.Page()
		pages := Pages(text, columns, rows)
		if got := strings.Join(pages, ""); got != text {
			t.Fatalf("the pages are %q, the text %q", pages, text)
		}
		for _, page := range pages {
			for _, form := range []Form{small, {Heading: columns + 3, Columns: columns + 3, Rows: small.Rows + 1}, Web} {
				if more, _ := form.Page(); more < columns || form.Rows < small.Rows {
					continue
				}
				if !form.ShowsPage(page) {
					t.Fatalf("%q does not fit %+v", page, form)
				}
				shown := c.Lines(kiosk.Screen{ID: kiosk.ScreenDocument, Title: "T", Text: page, Part: 1, Parts: 1}, form)
				checkRows(t, shown, form)
				if form.Rows > 2 {
					shown = shown[1:]
				}
				if all := strings.Join(shown, ""); strings.NewReplacer(" ", "", "\n", "").Replace(all) != strings.NewReplacer(" ", "", "\n", "").Replace(page) {
					t.Fatalf("%q is shown as %q", page, shown)
				}
			}
		}
	})
}

// TestDocumentIsShownUnchanged checks that no letter of a document is taken for a placeholder.
func TestDocumentIsShownUnchanged(t *testing.T) {
	c := catalogue(t)
	s := kiosk.Screen{ID: kiosk.ScreenDocument, Title: "{name}", Text: "{name} {ok} {title}\n{document}", Part: 1, Parts: 1, Name: "Kari"}
	if f := c.Frame(s); f.Text != s.Text {
		t.Errorf("the web shows %q", f.Text)
	}
	if got := strings.Join(c.Lines(s, Text20x4)[1:], "|"); got != "{name} {ok} {title}|{document}|" {
		t.Errorf("a display shows %q", got)
	}
	if said := c.Spoken(s, Hash).Text; !strings.Contains(said, "{name} {ok} {title}. {document}.") {
		t.Errorf("said: %q", said)
	}
}

// TestPagesOn lays a document out for several displays at once, and refuses what is too long.
func TestPagesOn(t *testing.T) {
	text := "I order two boxes of pens.\n\nUntil the first of May, at the latest."
	pages, err := PagesOn(text, []Form{Web, Text16x2, Text20x4})
	if err != nil || strings.Join(pages, "") != text || len(pages) != 3 {
		t.Errorf("%q, %v", pages, err)
	}
	if _, err := PagesOn(strings.Repeat("word ", 1000)+"end", []Form{Text16x2}); err == nil || !strings.Contains(err.Error(), "at most 150 are shown") {
		t.Errorf("a text that is too long: %v", err)
	}
	if _, err := PagesOn(text, nil); err == nil {
		t.Error("a panel without a display shows a document")
	}
}
