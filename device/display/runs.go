package display

import "iter"

// Runs yields the stretches of want that differ from have, each with its first
// column. A nil have differs everywhere.
func Runs(have, want []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		differs := func(i int) bool { return i < len(want) && (have == nil || have[i] != want[i]) }
		for from := 0; from < len(want); from++ {
			if !differs(from) {
				continue
			}
			to := from + 1
			for differs(to) {
				to++
			}
			if !yield(from, want[from:to]) {
				return
			}
			from = to
		}
	}
}
