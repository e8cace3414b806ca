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

func TestGroupsOf(t *testing.T) {
	r := parse(t, `default = "allow"
[groups]
yard = ["k2", "k3"]
gate = ["k1", "k2"]
`)
	for kiosk, want := range map[string][]string{"k1": {"gate"}, "k2": {"gate", "yard"}, "k4": nil} {
		if got := r.GroupsOf(kiosk); !slices.Equal(got, want) {
			t.Errorf("the groups of %s are %v, want %v", kiosk, got, want)
		}
	}
}
