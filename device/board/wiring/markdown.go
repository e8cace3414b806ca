package wiring

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"smartkiosk/device/board"
)

// Markdown describes a board whose file is name.toml and whose picture, in the
// same folder, is name.svg.
func Markdown(b *board.Board, name string) []byte {
	var out bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	all := Of(b)
	line("<!-- Written by go generate from %s.toml: change it there. -->", name)
	line("# %s\n", b.Name)
	line("The board file is [`%s.toml`](%[1]s.toml). Put it next to `kioskd.toml` and add this to `kioskd.toml`:\n", name)
	line("    [panel]\n    board = \"%s.toml\"\n", name)
	line("![The wiring of the header](%s.svg)\n", name)

	line("## Parts to buy\n")
	line("- %s, its power supply, a microSD card; a USB reader for cards", b.Pi)
	for _, c := range all {
		for _, thing := range c.Part.Describe().Buy {
			line("- %s", thing)
		}
	}

	line("\n## Wires\n")
	line("Switch the Pi off before you wire. Its lines tolerate 3.3 V at most. Pin 1 is the square one, nearest to the SD card; odd pins are in the inner row.\n")
	line("| part | terminal | through | goes to | pin | note |\n|---|---|---|---|---|---|")
	for _, c := range all {
		title := c.Part.Describe().Title
		for _, w := range c.Wires {
			to, pin := cmp.Or(w.Line, w.Device), "–"
			if w.Pin != 0 {
				pin = fmt.Sprint(w.Pin)
			}
			if w.Function != "" && w.Line != "" {
				to += " (" + w.Function + ")"
			}
			line("| %s | %s | %s | %s | %s | %s |", title, w.Terminal, w.Via, to, pin, w.Note)
		}
	}
	line("\nJoin several wires of one pin on a terminal strip or a breadboard.")

	line("\n## Configuration of the Pi\n")
	line("| file | line | purpose |\n|---|---|---|")
	for _, s := range settings(b) {
		line("| `%s` | `%s` | %s |", s.where, s.what, s.why)
	}
	line("\nkioskd's user must be in the groups %s.", strings.Join(groups(b), ", "))
	line("\nThen `kioskctl panel test` asks you to press, look and listen, part by part.")
	return out.Bytes()
}

// groups returns the groups that own the device files of a board's parts, on
// Debian and on Raspberry Pi OS.
func groups(b *board.Board) []string {
	var names []string
	for _, c := range Of(b) {
		if _, ok := c.Part.(*board.USB); ok {
			names = append(names, "`input`")
		}
		for _, w := range c.Wires {
			switch {
			case w.Function == "SDA":
				names = append(names, "`i2c`")
			case w.Function == "TXD", strings.HasPrefix(w.Device, "/dev/tty"):
				names = append(names, "`dialout`")
			case w.Device == "" && !isPower(w.Line):
				names = append(names, "`gpio`")
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
