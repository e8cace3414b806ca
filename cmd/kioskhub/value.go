package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// list is the value of a flag with several parts, separated by commas. The flag may be
// repeated.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

// Type returns the kind of value for help texts.
func (l *list) Type() string { return "list" }

func (l *list) Set(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		if part == "" {
			return fmt.Errorf("an empty part in %q", s)
		}
		if !slices.Contains(*l, part) {
			*l = append(*l, part)
		}
	}
	return nil
}

// moment is the value of a flag that is a time (RFC 3339).
type moment struct{ time.Time }

func (m *moment) Set(s string) (err error) {
	if m.Time, err = time.Parse(time.RFC3339, s); err != nil {
		return fmt.Errorf("it is not of the form 2026-11-22T12:00:00+01:00")
	}
	return nil
}

// Type returns the kind of value for help texts.
func (m *moment) Type() string { return "time" }

func (m *moment) String() string {
	if m.IsZero() {
		return ""
	}
	return m.Format(time.RFC3339)
}

// or returns the time, or other if no time was set.
func (m moment) or(other time.Time) time.Time {
	if m.IsZero() {
		return other
	}
	return m.Time
}
