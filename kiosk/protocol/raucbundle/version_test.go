package raucbundle

import (
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// ordered are versions, each older than the next.
var ordered = []string{"1.0~rc1", "1.0", "1.0+git20261101", "1.0.1", "1.2", "1.9.0", "1.10.0", "1.10.0a", "2026.11.29", "2026.11.30"}

func TestCompare(t *testing.T) {
	for i, a := range ordered {
		for j, b := range ordered {
			if got := Compare(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("Compare(%s, %s) = %d", a, b, got)
			}
		}
	}
	if Compare("1.0", "1.00") != 0 || Compare("1.", "1.0") != 0 {
		t.Error("zeros at the front of a number count")
	}
}

// TestCompareAsDpkg compares with dpkg, whose order this is.
func TestCompareAsDpkg(t *testing.T) {
	asDpkg := func(a, relation, b string) bool {
		// In dpkg a hyphen begins the revision; ours is a character as any other.
		err := exec.Command("dpkg", "--compare-versions", "0"+a, relation, "0"+b).Run()
		return err == nil
	}
	version := rapid.StringMatching(`[0-9]{1,2}([.+~a-c][0-9]{0,2}){0,3}`)
	for i := range 60 {
		a, b := version.Example(2*i), version.Example(2*i+1)
		got := Compare(a, b)
		for relation, want := range map[string]bool{"lt": got < 0, "eq": got == 0, "gt": got > 0} {
			if asDpkg(a, relation, b) != want {
				t.Errorf("Compare(%s, %s) = %d, dpkg differs (%s)", a, b, got, relation)
			}
		}
	}
}

// The order is one: antisymmetric and transitive.
func TestCompareIsAnOrder(t *testing.T) {
	version := rapid.StringMatching(`[0-9a-c.~+]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := version.Draw(t, "a"), version.Draw(t, "b"), version.Draw(t, "c")
		if Compare(a, b) > 0 != (Compare(b, a) < 0) {
			t.Errorf("%q and %q: %d and %d", a, b, Compare(a, b), Compare(b, a))
		}
		if Compare(a, b) <= 0 && Compare(b, c) <= 0 && Compare(a, c) > 0 {
			t.Errorf("%q <= %q <= %q is not transitive", a, b, c)
		}
		if strings.Compare(a, b) == 0 && Compare(a, b) != 0 {
			t.Errorf("%q differs from itself", a)
		}
	})
}
