package screen

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Web is the size of a page of a document on the web panel, in letters. It fits the
// smallest of its windows.
var Web = Form{Heading: 36, Columns: 36, Rows: 7}

// Page returns the columns and rows that a display of this form has for a page of a
// document: all of it on a display of two rows, otherwise all but the heading.
func (f Form) Page() (columns, rows int) {
	if f.Rows == 2 {
		return min(f.Heading, f.Columns), 2
	}
	return f.Columns, f.Rows - 1
}

// Pages splits a text into pages of at most that many rows and columns. The pages one after
// the other are the text, without a change.
func Pages(text string, columns, rows int) (pages []string) {
	all := pageRows(text, columns)
	for n := 0; n < len(all); n += rows {
		pages = append(pages, strings.Join(all[n:min(n+rows, len(all))], ""))
	}
	return pages
}

// ShowsPage reports whether a display of this form shows a page whole.
func (f Form) ShowsPage(page string) bool {
	columns, rows := f.Page()
	return len(pageRows(page, columns)) <= rows
}

// pageRows splits a text into rows: at the ends of its lines, between its words, and within
// a word that is longer than a row. Each row keeps the space or the end of the line that
// follows it.
func pageRows(text string, columns int) (rows []string) {
	for line := range strings.SplitAfterSeq(text, "\n") {
		row, used := "", 0
		for _, word := range strings.SplitAfter(line, " ") {
			n := letters(strings.TrimRight(word, " \n"))
			if row != "" && used+n > columns {
				rows, row, used = append(rows, row), "", 0
			}
			for n > columns {
				head := cut(word, columns)
				rows, word = append(rows, head), word[len(head):]
				n -= columns
			}
			row, used = row+word, used+letters(word)
		}
		if row != "" {
			rows = append(rows, row)
		}
	}
	return rows
}

// pageLines lays a page out for a display, below a heading if there is room for one.
func pageLines(heading, page string, f Form) (lines []string) {
	columns, room := f.Page()
	if f.Rows > 2 {
		lines = append(lines, cut(heading, f.Heading))
	}
	for i, row := range pageRows(page, columns) {
		if i < room {
			lines = append(lines, strings.TrimRight(row, " \n"))
		}
	}
	for len(lines) < f.Rows {
		lines = append(lines, "")
	}
	return lines
}

// maxPages is the maximum number of pages of a document: more would not be read.
const maxPages = 150

// PagesOn splits a document into pages each of which all of these displays show whole.
func PagesOn(text string, displays []Form) ([]string, error) {
	if len(displays) == 0 {
		return nil, errors.New("the panel has no display")
	}
	columns, rows := displays[0].Page()
	for _, d := range displays {
		c, r := d.Page()
		columns, rows = min(columns, c), min(rows, r)
	}
	pages := Pages(text, columns, rows)
	if len(pages) > maxPages {
		return nil, fmt.Errorf("the text has %d pages on a display of %d letters and %d rows, at most %d are shown", len(pages), columns, rows, maxPages)
	}
	for _, d := range displays {
		if i := slices.IndexFunc(pages, func(page string) bool { return !d.ShowsPage(page) }); i >= 0 {
			return nil, fmt.Errorf("page %d does not fit a display of %d letters and %d rows", i+1, d.Columns, d.Rows)
		}
	}
	return pages, nil
}
