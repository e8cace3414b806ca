package keypad

import (
	"fmt"
	"strings"
)

// Layout is the key map of a matrix: one string per row, one of 0 to 9, *, #,
// L, R, V or a space (a key that does nothing) per column.
type Layout []string

// parse returns the keys by key number (row × columns + column), 0 for a key that
// does nothing. Each digit must occur once, and * and # at least once, because a
// PIN must be typed, corrected and confirmed.
func (l Layout) parse(rows, cols int) ([]rune, error) {
	if len(l) != rows {
		return nil, fmt.Errorf("cannot read key map: %d rows for %d row pins", len(l), rows)
	}
	keys := make([]rune, 0, rows*cols)
	count := make(map[rune]int)
	for i, row := range l {
		runes := []rune(row)
		if len(runes) != cols {
			return nil, fmt.Errorf("cannot read key map: row %d has %d keys for %d column pins", i+1, len(runes), cols)
		}
		for _, key := range runes {
			if key == ' ' {
				key = 0
			} else if !validKey(key) {
				return nil, fmt.Errorf("cannot read key map: row %d: %q: %w", i+1, key, errKey)
			}
			count[key]++
			keys = append(keys, key)
		}
	}
	var missing []string
	for _, key := range "0123456789*#" {
		switch n := count[key]; {
		case n == 0:
			missing = append(missing, string(key))
		case n > 1 && key >= '0' && key <= '9':
			return nil, fmt.Errorf("cannot read key map: %c is there %d times", key, n)
		}
	}
	if missing != nil {
		return nil, fmt.Errorf("cannot read key map: no key for %s", strings.Join(missing, " "))
	}
	return keys, nil
}
