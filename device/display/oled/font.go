package oled

import (
	_ "embed"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"periph.io/x/devices/v3/ssd1306/image1bit"
)

// The fonts are misc-fixed of the X Window System, 6x12 and 8x13 bold, in the
// public domain ("Share and enjoy"), as in Debian's xfonts-base: all of Latin-1
// and Latin Extended-A and a few signs. A line is a code point and one byte for
// each row of dots, the leftmost dot in bit 7.
var (
	//go:embed 6x12.hex
	file6x12 string
	//go:embed 8x13B.hex
	file8x13B string

	// Read on first use: a kiosk with another display does not need the memory.
	small = sync.OnceValue(func() font { return readFont(file6x12, 6, 12) })
	bold  = sync.OnceValue(func() font { return readFont(file8x13B, 8, 13) })
)

type font struct {
	width, height int
	rows          map[rune][]byte
}

func readFont(file string, width, height int) font {
	f := font{width, height, map[rune][]byte{}}
	for line := range strings.Lines(file) {
		point, dots, _ := strings.Cut(strings.TrimSpace(line), ":")
		r, err := strconv.ParseInt(point, 16, 32)
		rows, err2 := hex.DecodeString(dots)
		if err != nil || err2 != nil || len(rows) != height {
			panic(fmt.Sprintf("cannot read font: %q", line))
		}
		f.rows[rune(r)] = rows
	}
	return f
}

// letter returns the rows of a letter. If the font lacks the letter, it returns
// those of its base letter or of the replacement character.
func (f font) letter(r rune) []byte {
	if rows, ok := f.rows[r]; ok {
		return rows
	}
	base, _ := utf8.DecodeRuneInString(norm.NFKD.String(string(r)))
	if rows, ok := f.rows[base]; ok {
		return rows
	}
	return f.rows['\uFFFD']
}

// write draws a row of letters with its upper left corner at x, y. Each dot of
// the font is down dots high.
func (f font) write(dots *image1bit.VerticalLSB, x, y, down int, letters []rune) {
	for _, r := range letters {
		for row, bits := range f.letter(r) {
			for col := range f.width {
				if bits<<col&0x80 == 0 {
					continue
				}
				for i := range down {
					dots.SetBit(x+col, y+row*down+i, image1bit.On)
				}
			}
		}
		x += f.width
	}
}
