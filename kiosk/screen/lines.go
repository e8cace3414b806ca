package screen

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"smartkiosk/kiosk"
)

// Form is the size of a display in letters, and the label of the key that ends a
// PIN.
type Form struct {
	Heading int    // letters in the first row
	Columns int    // letters in each row after it
	Rows    int    // rows, the first included
	OK      string // label printed on that key; Hash if empty
}

// Labels of the key that ends a PIN.
const (
	Hash        = "#"       // on pads like a telephone's
	Enter       = "Enter"   // on a computer's number pad, which has no #
	HashOrEnter = "#/Enter" // for a kiosk that has both pads
)

// The forms that every text must fit; a test checks it.
var (
	Text16x2 = Form{Heading: 16, Columns: 16, Rows: 2}
	Text20x4 = Form{Heading: 20, Columns: 20, Rows: 4}
	// Graphic128x64 is 128×64 dots: a heading of 8×16 dots a letter, then
	// rows of 6×12.
	Graphic128x64 = Form{Heading: 16, Columns: 21, Rows: 5}
)

// Lines lays a screen out for a display of rows. It returns f.Rows strings, the
// first of at most f.Heading letters and the others of at most f.Columns, without
// padding. Typed PIN digits are asterisks in the last row, with the key that ends
// the PIN. A display of two rows has no other row for an instruction, so where a
// key means something else it shows that in place of the digits.
func (c *Catalogue) Lines(s kiosk.Screen, f Form) []string {
	ok := cmp.Or(f.OK, Hash)
	t := c.words(s, ok)
	if situationOf(s) == "phone-link" {
		return linkLines(s, t, f)
	}
	if situationOf(s) == "document" {
		return pageLines(t.Heading, s.Text, f)
	}
	rows := append(make([]string, 0, f.Rows), cut(t.Heading, f.Heading))
	entry := ""
	room := f.Rows - 1
	end := "OK: " + ok
	otherKeys := s.TimeShort || s.Notice == kiosk.NoticeTooLong || s.Notice == kiosk.NoticeLeave
	if otherKeys {
		end = ""
	}
	menu := isList(s)
	switch {
	case f.Rows == 2 && situationOf(s) == "welcome-phone" && !c.language(s.Language).offersVoice(s):
		// The key for the phone is in place of the heading, because that for the language
		// needs the other row.
		plain := s
		plain.ByPhone = false
		return []string{cut(t.Short, f.Heading), cut(c.words(plain, ok).Short, f.Columns)}
	case menu && f.Rows == 2: // the key for the next entry is in place of the heading
		entries := menuRows(c.language(s.Language).entries(s), s.First, f.Columns, 1)
		return append([]string{cut(t.Short, f.Heading)}, append(entries, "")[0])
	case menu:
		room--
		entry = cut(t.Hint, f.Columns)
	case !s.TakesPIN():
	case f.Rows > 2:
		entry = promptRow(promptFor(s.Asks), s.Typed, end, f.Columns)
		room--
	case !otherKeys:
		entry = entryRow(s.Typed, end, f.Columns)
	}
	code := corner(s, f.Columns)
	if f.Rows == 2 {
		switch {
		case entry != "":
		case s.TakeCard && t.Hint != "":
			entry = cut(t.Hint, f.Columns)
		default:
			entry = cut(fill(t.Short, s, f.Columns), f.Columns)
		}
		if code != "" {
			entry = withCorner(entry, code, f.Columns)
		}
		return append(rows, entry)
	}
	if menu {
		rows = append(rows, menuRows(c.language(s.Language).entries(s), s.First, f.Columns, room)...)
	} else {
		rows = append(rows, body(fill(t.Text, s, f.Columns), t.Hint, f.Columns, room)...)
	}
	for len(rows) < f.Rows {
		rows = append(rows, "")
	}
	if entry != "" {
		rows[f.Rows-1] = entry
	}
	if code != "" {
		rows[f.Rows-1] = withCorner(rows[f.Rows-1], code, f.Columns)
	}
	return rows
}

// corner returns what the last corner of the display says to a technician: why the
// kiosk is out of service, by the code that is in the log and in events too. If the
// only readers are others than the configuration asks for, it names what is looked for
// and one that is there: "Twin? ACS ACR39U".
func corner(s kiosk.Screen, columns int) string {
	switch {
	case situationOf(s) != "out-of-service":
		return ""
	case s.Found == "":
		return printable(string(s.Reason))
	}
	wanted := cut(printable(s.Wanted), max(columns/2-2, 1)) + "? "
	return wanted + strings.TrimSpace(cut(printable(s.Found), max(columns-letters(wanted), 0)))
}

// withCorner puts a code at the end of a row. It replaces a row that has no room for
// both.
func withCorner(row, code string, columns int) string {
	code = cut(code, columns)
	if gap := columns - letters(row) - letters(code); row != "" && gap > 0 {
		return row + strings.Repeat(" ", gap) + code
	}
	return strings.Repeat(" ", columns-letters(code)) + code
}

// promptFor names what the person types, in all languages.
func promptFor(c kiosk.Code) string {
	switch c {
	case kiosk.CodePUK:
		return "PUK: "
	case kiosk.CodeDigits:
		return "> "
	}
	return "PIN: "
}

// promptRow shows typed digits after a prompt. It is never empty, so that a person
// who reads about a wrong PIN also sees that the kiosk waits for a PIN.
func promptRow(prompt string, typed int, end string, columns int) string {
	if typed <= 0 {
		return prompt + "_"
	}
	return prompt + entryRow(typed, end, columns-len(prompt))
}

// entryRow shows typed digits and, if there is room on the right, the key that ends
// the PIN. It is empty before the first digit.
func entryRow(typed int, end string, columns int) string {
	stars := strings.Repeat("*", min(max(typed, 0), columns))
	if gap := columns - len(stars) - len(end); stars != "" && end != "" && gap > 0 {
		return stars + strings.Repeat(" ", gap) + end
	}
	return stars
}

// body lays a text and its hint out in at most room rows: both if they fit, and with
// each sentence on a new row if that fits.
func body(t, hint string, columns, room int) []string {
	if hint != "" {
		last := wrap(hint, columns)
		for _, rows := range [][]string{sentences(t, columns), wrap(t, columns)} {
			if len(rows)+len(last) <= room {
				return append(rows, last...)
			}
		}
	}
	if rows := sentences(t, columns); len(rows) <= room {
		return rows
	}
	rows := wrap(t, columns)
	return rows[:min(len(rows), room)]
}

// sentences wraps a text so that a sentence that does not fit into the rest of a row
// begins on the next one, because an unbroken sentence is read faster.
func sentences(t string, columns int) []string {
	var rows []string
	for sentence := range strings.SplitAfterSeq(t, ". ") {
		first := wrap(sentence, columns)
		if n := len(rows); n > 0 && len(first) == 1 && letters(rows[n-1])+1+letters(first[0]) <= columns {
			rows[n-1] += " " + first[0]
			continue
		}
		rows = append(rows, first...)
	}
	return rows
}

// fill puts the name and the detail in, each short enough for one row.
func fill(t string, s kiosk.Screen, columns int) string {
	t = strings.ReplaceAll(t, "{name}", shorten(printable(s.Name), columns))
	return strings.ReplaceAll(t, "{detail}", cut(printable(s.Detail), columns))
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
		case letters(row)+1+letters(word) <= columns:
			row += " " + word
		default:
			rows = append(rows, row)
			row = word
		}
	}
	return append(rows, row)
}

func letters(t string) int { return utf8.RuneCountInString(t) }

func cut(t string, letters int) string {
	if r := []rune(t); len(r) > letters {
		return string(r[:letters])
	}
	return t
}
