package display_test

import (
	"strings"
	"testing"

	"smartkiosk/device/display"
)

// TestShow shows frames that are too long, too tall and not UTF-8 on every part.
func TestShow(t *testing.T) {
	for _, b := range benches(t) {
		r, ok := b.glass.(reader)
		if !ok {
			continue
		}
		text, err := display.NewText(b.part)
		if err != nil {
			t.Fatal(err)
		}
		rows, cols := b.part.Size()
		full := func(c string) string { return strings.Repeat(c, cols) }
		for _, tt := range []struct {
			step  string
			frame []string
			want  []string
		}{
			{"full", []string{full("a"), full("b"), full("c"), full("d")}[:rows], []string{full("a"), full("b"), full("c"), full("d")}},
			{"shorter", []string{"one", "two"}, []string{"one", "two"}},
			{"not UTF-8", []string{"\xff"}, []string{"?"}},
			{"too long and too tall", []string{full("k") + "cut", "", "", "", "", "too many"}, []string{full("k")}},
			{"empty", nil, nil},
		} {
			if err := text.Show(display.Frame{Rows: tt.frame}); err != nil {
				t.Fatalf("%s: %v", b.name, err)
			}
			for i, row := range r.Text() {
				want := ""
				if i < len(tt.want) {
					want = tt.want[i]
				}
				if strings.TrimRight(row, " ") != want {
					t.Errorf("%s, %s: row %d reads %q, want %q", b.name, tt.step, i, row, want)
				}
			}
		}
		for _, fault := range *b.faults {
			t.Errorf("%s: %s", b.name, fault)
		}
	}
}

// FuzzShow checks that every part accepts any text, and that no letter is sent as
// a command.
func FuzzShow(f *testing.F) {
	for _, seed := range []string{"Sett inn kortet\nEnglish: *", "\x1b@|-\xfeX", "čđŋšŧž\u0301\u200f", strings.Repeat("å\n", 9)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, rows string) {
		for _, b := range benches(t) {
			text, err := display.NewText(b.part)
			if err != nil {
				t.Fatal(err)
			}
			if err := text.Show(display.Frame{Rows: strings.Split(rows, "\n")}); err != nil {
				t.Errorf("%s: %v", b.name, err)
			}
			for _, fault := range *b.faults {
				t.Errorf("%s: %s", b.name, fault)
			}
		}
	})
}
