package screen

import (
	"strings"

	"smartkiosk/kiosk"
)

// Form is the size of a display in letters.
type Form struct {
	Heading int // letters in the first row
	Columns int // letters in each row after it
	Rows    int // rows, the first included
}

// The forms that every text is proven to fit.
var (
	Text16x2 = Form{Heading: 16, Columns: 16, Rows: 2}
	Text20x4 = Form{Heading: 20, Columns: 20, Rows: 4}
	// Graphic128x64 is 128×64 dots: a heading of 8×16 dots a letter, then
	// rows of 6×12.
	Graphic128x64 = Form{Heading: 16, Columns: 21, Rows: 5}
)

// Lines lays a screen out for a display of rows: f.Rows strings, the first of
// at most f.Heading letters and the others of at most f.Columns, none padded.
// Typed PIN digits are asterisks in the last row.
func (c *Catalogue) Lines(s kiosk.Screen, f Form) []string {
	t := c.words(s)
	rows := append(make([]string, 0, f.Rows), cut(t.Heading, f.Heading))
	entry := ""
	room := f.Rows - 1
	if s.TakesPIN() {
		entry = strings.Repeat("*", min(max(s.Typed, 0), f.Columns))
		if f.Rows > 2 {
			room--
		}
	}
	if f.Rows == 2 {
		if entry == "" {
			entry = cut(fillName(t.Short, s.Name, f.Columns), f.Columns)
		}
		return append(rows, entry)
	}
	body := wrap(fillName(t.Text, s.Name, f.Columns), f.Columns)
	if hint := wrap(t.Hint, f.Columns); t.Hint != "" && len(body)+len(hint) <= room {
		body = append(body, hint...)
	}
	rows = append(rows, body[:min(len(body), room)]...)
	for len(rows) < f.Rows {
		rows = append(rows, "")
	}
	if entry != "" {
		rows[f.Rows-1] = entry
	}
	return rows
}

// fillName puts the name in, short enough for one row.
func fillName(t, name string, columns int) string {
	return strings.ReplaceAll(t, "{name}", shorten(printable(name), columns))
}

// wrap breaks a text between words into rows of at most columns letters. A
// word longer than a row is cut.
func wrap(t string, columns int) []string {
	var rows []string
	row := ""
	for _, word := range strings.Fields(t) {
		word = cut(word, columns)
		switch {
		case row == "":
			row = word
		case len([]rune(row))+1+len([]rune(word)) <= columns:
			row += " " + word
		default:
			rows = append(rows, row)
			row = word
		}
	}
	return append(rows, row)
}

func cut(t string, letters int) string {
	if r := []rune(t); len(r) > letters {
		return string(r[:letters])
	}
	return t
}
