//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"time"
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

// diagnosis is the answer to a check.
type diagnosis struct {
	Check   string     `json:"check"`
	State   checkState `json:"state"`
	Found   string     `json:"found"`
	Advice  string     `json:"advice,omitempty"`  // what to do
	Because string     `json:"because,omitempty"` // the failed check, if this one was not run
	depth   int
}

type checkState string

const (
	stateOK      checkState = "ok"
	stateWarning checkState = "warning" // works, but somebody should look at it
	stateFailed  checkState = "FAILED"
	stateUnknown checkState = "unknown" // this machine does not say
	stateNotRun  checkState = "not run" // a check that it needs has failed
)

func diagnose(state checkState, format string, args ...any) diagnosis {
	return diagnosis{State: state, Found: fmt.Sprintf(format, args...)}
}

// advise adds what to do.
func (f diagnosis) advise(format string, args ...any) diagnosis {
	f.Advice = fmt.Sprintf(format, args...)
	return f
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
				depth = all[at].depth + 1
			}
			if because := all[at].cause(); cause == "" {
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
		f.Check, f.depth = c.name, depth
		all = append(all, f)
		for _, part := range parts {
			part.depth = depth + 1
			all = append(all, part)
		}
	}
	return all
}

// cause returns the name of the failed check, if f failed or was not run because of one.
func (f diagnosis) cause() string {
	switch f.State {
	case stateFailed:
		return f.Check
	case stateNotRun:
		return f.Because
	}
	return ""
}
