package raucbundle

import (
	"cmp"
	"strings"
)

// Compare orders two versions as Debian does (deb-version(7)): runs of digits count as
// numbers, letters come before other characters, and "~" comes before everything, also
// before the end. It returns a negative number if a is older than b.
func Compare(a, b string) int {
	for a != "" || b != "" {
		var left, right string
		left, a = cut(a, func(c byte) bool { return !isDigit(c) })
		right, b = cut(b, func(c byte) bool { return !isDigit(c) })
		for i := range max(len(left), len(right)) {
			if c := cmp.Compare(weight(left, i), weight(right, i)); c != 0 {
				return c
			}
		}
		left, a = cut(a, isDigit)
		right, b = cut(b, isDigit)
		left, right = strings.TrimLeft(left, "0"), strings.TrimLeft(right, "0")
		if c := cmp.Or(cmp.Compare(len(left), len(right)), strings.Compare(left, right)); c != 0 {
			return c
		}
	}
	return 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// cut returns the bytes at the beginning for which in is true, and the rest.
func cut(s string, in func(byte) bool) (run, rest string) {
	i := 0
	for i < len(s) && in(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

// weight orders the characters of a run without digits. The end of the run weighs 0.
func weight(run string, i int) int {
	switch {
	case i >= len(run):
		return 0
	case run[i] == '~':
		return -1
	case run[i] >= 'A' && run[i] <= 'Z' || run[i] >= 'a' && run[i] <= 'z':
		return int(run[i])
	}
	return int(run[i]) + 256
}
