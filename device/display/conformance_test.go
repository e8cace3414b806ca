package display_test

import (
	"errors"
	"strings"
	"testing"

	"periph.io/x/conn/v3/display/displaytest"

	periph "periph.io/x/conn/v3/display"

	"smartkiosk/device/display"
)

// TestConformance is periph's suite for text displays; nothing is "not
// implemented".
func TestConformance(t *testing.T) {
	for _, b := range benches(t) {
		text, err := display.NewText(b.part)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range displaytest.TestTextDisplay(text, false) {
			t.Errorf("%s: %v", b.name, err)
		}
		if r, ok := b.glass.(reader); ok {
			if got := strings.TrimRight(r.Text()[0], " "); got != "Set dev on" {
				t.Errorf("%s: at the end it shows %q", b.name, got)
			}
		}
		for _, fault := range *b.faults {
			t.Errorf("%s: %s", b.name, fault)
		}
	}
}

// TestTextDisplay goes into what the suite leaves out: it sees only errors.
func TestTextDisplay(t *testing.T) {
	for _, b := range benches(t) {
		r, ok := b.glass.(reader)
		if !ok {
			continue
		}
		text, err := display.NewText(b.part)
		if err != nil {
			t.Fatal(err)
		}
		rows, cols := text.Rows(), text.Cols()
		check := func(step string, want ...string) {
			t.Helper()
			for i, row := range r.Text() {
				w := ""
				if i < len(want) {
					w = want[i]
				}
				if strings.TrimRight(row, " ") != w {
					t.Errorf("%s, %s: row %d reads %q, want %q", b.name, step, i, row, w)
				}
			}
		}
		do := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", b.name, err)
			}
		}
		line := func(c string) string { return strings.Repeat(c, cols) }
		put := func(s string) {
			t.Helper()
			n, err := text.WriteString(s)
			if do(err); n != len(s) {
				t.Errorf("%s: took %d of %d bytes", b.name, n, len(s))
			}
		}
		for i := range rows {
			put(line(string(rune('a' + i))))
		}
		all := []string{line("a"), line("b"), line("c"), line("d")}[:rows]
		check("filled", all...)
		put("X")
		check("wrapped", append([]string{"X" + line("a")[1:]}, all[1:]...)...)

		do(text.AutoScroll(true))
		do(text.MoveTo(rows-1, cols-1))
		put("YøZ")
		last := all[rows-1]
		want := append(append([]string{}, all[1:rows-1]...), last[1:]+"Y", "øZ")
		check("scrolled", want[len(want)-rows:]...)
		do(text.AutoScroll(false))

		do(text.Clear())
		check("cleared")
		put("one\ntwo")
		check("lines", "one", "two")
		do(text.Move(periph.Backward))
		do(text.Move(periph.Up))
		put("X")
		check("moved", "onX", "two")
		do(text.Move(periph.Down))
		do(text.Move(periph.Backward))
		do(text.Move(periph.Forward))
		put("\xff")
		check("not UTF-8", "onX", "two?")
		do(text.Display(false))
		check("off", make([]string, rows)...)
		put("!")
		do(text.Display(true))
		check("on again", "onX", "two?!")
		do(text.Show(display.Frame{Rows: []string{line("k") + "cut", "", "", "", "", "too many"}}))
		check("frame", line("k"))

		if err := text.Move(periph.Down + 1); !errors.Is(err, periph.ErrInvalidCommand) {
			t.Errorf("Move: %v", err)
		}
		if err := text.Cursor(periph.CursorOff - 1); !errors.Is(err, periph.ErrInvalidCommand) {
			t.Errorf("Cursor: %v", err)
		}
		if err := text.MoveTo(rows, 0); err == nil || !strings.HasPrefix(err.Error(), "cannot move to row ") {
			t.Errorf("MoveTo: %v", err)
		}
	}
}

// FuzzWrite: whatever bytes are written, every part takes them, and none takes
// a letter for a command.
func FuzzWrite(f *testing.F) {
	for _, seed := range []string{"Sett inn kortet\nEnglish: *", "\x1b@|-\xfeX", "čđŋšŧž\u0301\u200f", strings.Repeat("å\n", 9)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		for _, b := range benches(t) {
			text, err := display.NewText(b.part)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := text.Write(p); err != nil || n != len(p) {
				t.Errorf("%s: took %d of %d bytes: %v", b.name, n, len(p), err)
			}
			for _, fault := range *b.faults {
				t.Errorf("%s: %s", b.name, fault)
			}
		}
	})
}
