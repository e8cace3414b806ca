package display

import (
	"fmt"
	"slices"
	"strings"
)

// common are the letters outside of ASCII that every display shows. A character display is
// taught them, Slots at a time.
const common = "æøåÆØÅäöüÄÖÜéÉ"

// uncommon are the signs of ASCII that some displays lack: the HD44780's A00 has other signs
// in place of the first two, and the SerLCD takes the third as a command.
const uncommon = "\\~|"

// Shows returns nil if every display shows a screen with this text as it is. Otherwise some
// display would replace a letter by a similar one, and the error names the letter.
func Shows(text string) error {
	var taught []rune
	for _, r := range text {
		switch {
		case r == '\n', r >= ' ' && r < 0x7f && !strings.ContainsRune(uncommon, r):
		case !strings.ContainsRune(common, r):
			return fmt.Errorf("not every display shows the letter %q", r)
		case !slices.Contains(taught, r):
			if taught = append(taught, r); len(taught) > Slots {
				return fmt.Errorf("a display shows at most %d letters such as %q on a screen", Slots, r)
			}
		}
	}
	return nil
}
