package screen

import (
	"strings"

	"smartkiosk/kiosk"
)

// maxLink is the maximum length of the link of a login by phone, in letters: that of a QR
// code of version 3 and level M (ISO/IEC 18004, table 7). A larger code does not fit a
// display of 64 rows of dots in whole modules of two dots.
const maxLink = 61

// link is the address of a login by phone, without https://.
type link struct {
	host string
	code string // of six characters, which a person can type on the page of the host
}

// linkOf returns the link of a login by phone.
func linkOf(s kiosk.Screen) link {
	text := cut(printable(s.Page), maxLink)
	if i := strings.Index(text, "://"); i >= 0 {
		text = text[i+3:]
	}
	host, code, _ := strings.Cut(text, "/")
	return link{strings.ToLower(host), code}
}

func (l link) String() string { return l.host + "/" + l.code }

// rows breaks the link into rows. The code stands together.
func (l link) rows(columns int) (rows []string) {
	host := []rune(l.host)
	for len(host) > columns {
		rows, host = append(rows, string(host[:columns])), host[columns:]
	}
	last := string(host) + "/" + l.code
	if letters(last) > columns {
		return append(rows, string(host), cut("/"+l.code, columns))
	}
	return append(rows, last)
}

// linkLines lays out the link. A display of two rows that has no room for it shows one
// part after the other.
func linkLines(s kiosk.Screen, t text, f Form) []string {
	parts := linkOf(s).rows(f.Columns)
	var rows []string
	switch {
	case f.Rows > 2:
		rows = append([]string{cut(t.Heading, f.Heading)}, parts[:min(len(parts), f.Rows-1)]...)
		if len(rows) < f.Rows {
			rows = append(rows, cut(t.Hint, f.Columns))
		}
	case len(parts) == 1:
		rows = []string{cut(t.Heading, f.Heading), parts[0]}
	case len(parts) == 2:
		rows = parts
	default:
		rows = []string{parts[s.First%len(parts)], cut(t.Short, f.Columns)}
	}
	for len(rows) < f.Rows {
		rows = append(rows, "")
	}
	return rows
}

// Beside lays out what stands next to the QR code of a login by phone, on a display of
// dots: rows of at most columns letters. It returns false if the screen is without a code,
// or if the person wants to read the link instead.
func (c *Catalogue) Beside(s kiosk.Screen, columns int, ok string) (code, rows []string, has bool) {
	if situationOf(s) != "phone-link" || s.First%2 == 1 || len(s.Page) > maxLink {
		return nil, nil, false
	}
	if code = QR(s.Page); code == nil {
		return nil, nil, false
	}
	t := c.words(s, ok)
	rows = wrap(t.Heading, columns)
	rows = rows[:min(len(rows), 2)]
	for len(rows) < 2 {
		rows = append(rows, "")
	}
	mark := ""
	if s.Sandbox {
		mark = "TEST"
	}
	asText := ok + ": URL"
	if letters(asText) > columns {
		asText = Hash + ": URL" // one of two pads
	}
	return code, append(rows, mark, cut(linkOf(s).code, columns), asText), true
}

// phoneSituation returns the text of a screen of a login by phone.
func phoneSituation(s kiosk.Screen) situation {
	switch {
	case s.Notice == kiosk.NoticeLeave:
		return "pin-leave"
	case s.ID != kiosk.ScreenDigits:
		return situation(s.ID)
	case s.Notice == kiosk.NoticeTooShort:
		return "pin-short"
	case s.WrongPIN && s.Typed == 0 && s.Tries == 1:
		return "phone-digits-last"
	case s.WrongPIN && s.Typed == 0:
		return "phone-digits-wrong"
	}
	return "phone-digits"
}
