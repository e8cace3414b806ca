//go:build linux

package hardware

import (
	"slices"
	"testing"
)

func TestNumbers(t *testing.T) {
	if n, err := numbers("GPIO0", "GPIO27"); err != nil || !slices.Equal(n, []int{0, 27}) {
		t.Errorf("%v, %v", n, err)
	}
	for _, name := range []string{"", "P1_11", "GPIO"} {
		if _, err := numbers(name); err == nil {
			t.Errorf("line %q: no error", name)
		}
	}
}

func TestFindKey(t *testing.T) {
	m := (&Lines{}).WireMatrix([]int{5, 6}, []int{20, 21}, []string{"12", "*#"})
	for key, want := range map[rune][2]int{'1': {5, 20}, '2': {5, 21}, '*': {6, 20}, '#': {6, 21}} {
		if row, col, err := m.find(key); err != nil || [2]int{row, col} != want {
			t.Errorf("key %c joins %d and %d (%v), want %v", key, row, col, err, want)
		}
	}
	if _, _, err := m.find('9'); err == nil {
		t.Error("find: no error for a key that the keypad does not have")
	}
}
