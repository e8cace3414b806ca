package display_test

import (
	"fmt"
	"strings"
	"testing"

	"smartkiosk/device/display"
)

// TestShows shows every letter that Shows accepts on every display that can be read back.
func TestShows(t *testing.T) {
	var accepted []string
	for r := ' '; r < 0x250; r++ {
		if display.Shows(string(r)) == nil {
			accepted = append(accepted, string(r))
		}
	}
	if all := strings.Join(accepted, ""); len(accepted) != 95-3+14 || !strings.Contains(all, "æ") || strings.ContainsAny(all, "\\~|š") {
		t.Errorf("accepted: %q", all)
	}
	for _, b := range benches(t) {
		r, ok := b.glass.(reader)
		if !ok {
			continue
		}
		text, err := display.NewText(b.part)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(accepted); n += display.Slots {
			row := strings.Join(accepted[n:min(n+display.Slots, len(accepted))], "")
			if err := text.Show(display.Frame{Rows: []string{row + "."}}); err != nil {
				t.Fatal(err)
			}
			if got, want := strings.TrimRight(r.Text()[0], " "), row+"."; got != want {
				t.Errorf("%s shows %q as %q", b.name, want, got)
			}
		}
	}
	for text, want := range map[string]string{
		"To esker,\nfrist 1. mai.": "", "æøåÆØÅäö": "", "æøåÆØÅäöü": "at most 8", "Čáhci": "'Č'", "a\tb": `'\t'`, "€": "'€'",
	} {
		if err := display.Shows(text); fmt.Sprint(err) == "<nil>" != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
