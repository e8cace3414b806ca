//go:build linux

package main

import (
	"context"
	"slices"
	"testing"
)

// TestFailedParent checks that a check is not run if one that it needs failed or was not
// run, and that it names the one that failed.
func TestFailedParent(t *testing.T) {
	var ran []string
	answering := func(name string, state checkState, needs ...string) check {
		return check{name: name, needs: needs, do: func(context.Context) diagnosis {
			ran = append(ran, name)
			return diagnose(state, "seen")
		}, parts: func(context.Context) []diagnosis { return []diagnosis{{Check: name + ".part"}} }}
	}
	all := runChecks(t.Context(), []check{
		answering("network", stateWarning),
		answering("dns", stateFailed, "network"),
		answering("hub", stateOK, "dns"),
		answering("clock", stateOK),
		answering("tls", stateOK, "clock", "hub"),
	})
	if want := []string{"network", "dns", "clock"}; !slices.Equal(ran, want) {
		t.Errorf("%q were run, want %q", ran, want)
	}
	type line struct {
		check   string
		state   checkState
		because string
		depth   int
	}
	var got []line
	for _, f := range all {
		got = append(got, line{f.Check, f.State, f.Because, f.Depth})
	}
	want := []line{
		{"network", stateWarning, "", 0}, {"network.part", "", "", 1},
		{"dns", stateFailed, "", 1},
		{"hub", stateNotRun, "dns", 2},
		{"clock", stateOK, "", 0}, {"clock.part", "", "", 1},
		{"tls", stateNotRun, "dns", 1},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestChecksAreInOrder checks that each check comes after those that it needs.
func TestChecksAreInOrder(t *testing.T) {
	var before []string
	for _, c := range new(doctor).checks() {
		for _, need := range c.needs {
			if !slices.Contains(before, need) {
				t.Errorf("%s needs %s, which does not come before it", c.name, need)
			}
		}
		before = append(before, c.name)
	}
}
