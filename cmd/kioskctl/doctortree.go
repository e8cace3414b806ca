//go:build linux

package main

import (
	"context"
	"slices"
	"time"

	"smartkiosk/cmd/internal/checkup"
)

// checkTime limits one check. A network that drops packets answers nothing.
const checkTime = 10 * time.Second

// check is one question about a kiosk.
type check struct {
	name  string
	needs []string // checks that must not have failed; the first is the parent in the tree
	do    func(ctx context.Context) diagnosis
	parts func(ctx context.Context) []diagnosis // further findings, children of this one; nil for none
}

// The report's words.
type (
	diagnosis  = checkup.Finding
	checkState = checkup.State
)

const (
	stateOK      = checkup.OK
	stateWarning = checkup.Warning
	stateFailed  = checkup.Failed
	stateUnknown = checkup.Unknown
	stateNotRun  = checkup.NotRun
)

func diagnose(state checkState, format string, args ...any) diagnosis {
	return checkup.Find(state, format, args...)
}

// runChecks runs the checks in order. It does not run a check that needs one that has
// failed, or that was itself not run; the diagnosis names the check that did fail.
func runChecks(ctx context.Context, checks []check) []diagnosis {
	var all []diagnosis
	for _, c := range checks {
		depth := 0
		cause := ""
		for i, need := range c.needs {
			at := slices.IndexFunc(all, func(f diagnosis) bool { return f.Check == need })
			if i == 0 {
				depth = all[at].Depth + 1
			}
			if because := all[at].Cause(); cause == "" {
				cause = because
			}
		}
		var f diagnosis
		var parts []diagnosis
		if cause != "" {
			f = diagnose(stateNotRun, "%s failed", cause)
			f.Because = cause
		} else {
			limited, cancel := context.WithTimeout(ctx, checkTime)
			f = c.do(limited)
			if c.parts != nil && f.State != stateFailed {
				parts = c.parts(limited)
			}
			cancel()
		}
		f.Check, f.Depth = c.name, depth
		all = append(all, f)
		for _, part := range parts {
			part.Depth = depth + 1
			all = append(all, part)
		}
	}
	return all
}
