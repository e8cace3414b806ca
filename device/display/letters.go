package display

import (
	_ "embed"
	"fmt"
	"strings"
)

// A line is a letter and its rows from the top, five dots each. The last row
// holds the cursor and descenders. The shapes match those of the HD44780
// (datasheet, table 4).
//
//go:embed letters.txt
var lettersFile string

var letters = readLetters(lettersFile)

// Dots returns the shape of a letter that a display may be taught: 8 rows from
// the top, the leftmost of five dots in bit 4, as CGRAM takes them (HD44780
// datasheet, table 5). ok is false for a letter that letters.txt does not have.
func Dots(letter rune) (dots [8]byte, ok bool) {
	dots, ok = letters[letter]
	return dots, ok
}

// LetterOf returns the letter of a shape. Each shape belongs to one letter.
func LetterOf(dots [8]byte) (letter rune, ok bool) {
	for r, d := range letters {
		if d == dots {
			return r, true
		}
	}
	return 0, false
}

func readLetters(file string) map[rune][8]byte {
	all := map[rune][8]byte{}
	for line := range strings.Lines(file) {
		fields := strings.Fields(line)
		if len(fields) != 9 {
			panic(fmt.Sprintf("cannot read letters.txt: %q", line))
		}
		var dots [8]byte
		for i, row := range fields[1:] {
			if len(row) != 5 || strings.Trim(row, "#.") != "" {
				panic(fmt.Sprintf("cannot read letters.txt: %q", line))
			}
			for _, dot := range row {
				dots[i] <<= 1
				if dot == '#' {
					dots[i] |= 1
				}
			}
		}
		all[[]rune(fields[0])[0]] = dots
	}
	return all
}
