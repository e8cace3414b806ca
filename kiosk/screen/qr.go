package screen

import (
	"strings"

	"rsc.io/qr"
)

// QR returns a QR code of a text: one string per row of modules, in which 1 is dark, with
// no quiet zone. It returns nil for an empty text, and for one that no code can hold. Level
// M restores up to 15 % of the modules (ISO/IEC 18004), enough for reflections on glass.
func QR(text string) (rows []string) {
	code, err := qr.Encode(text, qr.M)
	if text == "" || err != nil {
		return nil
	}
	for y := range code.Size {
		var row strings.Builder
		for x := range code.Size {
			if code.Black(x, y) {
				row.WriteByte('1')
			} else {
				row.WriteByte('0')
			}
		}
		rows = append(rows, row.String())
	}
	return rows
}
