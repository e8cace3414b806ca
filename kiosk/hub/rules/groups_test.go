package rules

import (
	"slices"
	"testing"
)

func TestCompanions(t *testing.T) {
	r := parse(t, `default = "allow"
[groups]
gate = ["k1", "k2"]
yard = ["k2", "k3"]
`)
	for kiosk, want := range map[string][]string{
		"k1": {"k1", "k2"}, "k2": {"k1", "k2", "k3"}, "k4": {"k4"},
	} {
		if got := r.Companions(kiosk); !slices.Equal(got, want) {
			t.Errorf("the companions of %s are %v, want %v", kiosk, got, want)
		}
	}
}
