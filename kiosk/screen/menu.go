package screen

import (
	"strconv"
	"strings"

	"smartkiosk/kiosk"
)

// named are the services that the menu names by the catalogue.
var named = []kiosk.Service{kiosk.ServiceChange, kiosk.ServiceDocument}

// isList reports whether a screen is a list of entries with their keys.
func isList(s kiosk.Screen) bool {
	to := situationOf(s)
	return to == "menu" || to == "documents"
}

// entry is one line of the menu: a key and what it selects.
type entry struct {
	Key  string
	Text string
}

// entries returns the menu in a language, in the order of the keys.
func (l language) entries(s kiosk.Screen) (all []entry) {
	for i, e := range s.Menu {
		if e.Service == "" {
			break
		}
		text := l.Services[e.Service]
		if e.Label != "" {
			text = printable(e.Label)
		}
		all = append(all, entry{strconv.Itoa(i + 1), text})
	}
	return all
}

// menuRows returns at most room rows of the menu. A display without room for all of the
// entries shows those from s.First on.
func menuRows(all []entry, first, columns, room int) (rows []string) {
	if len(all) <= room {
		first = 0
	}
	for i := range min(room, len(all)) {
		e := all[(first+i)%len(all)]
		rows = append(rows, cut(e.Key+" "+e.Text, columns))
	}
	return rows
}

// sayEntries returns the menu as sentences.
func sayEntries(all []entry) string {
	var said []string
	for _, e := range all {
		said = append(said, e.Key+": "+e.Text+".")
	}
	return strings.Join(said, " ")
}

// address returns the part of a page's address that a person types.
func address(page string) string {
	return strings.TrimSuffix(strings.TrimPrefix(printable(page), "https://"), "/")
}
