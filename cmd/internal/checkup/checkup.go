// Package checkup has the report of "kioskctl doctor", which a technician reads at the kiosk,
// and an operator at the hub.
package checkup

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what doctor found.
type Report struct {
	Time    time.Time `json:"time"`
	Machine string    `json:"machine"` // the model in the device tree, "" without one
	Kiosk   string    `json:"kiosk"`   // its id, "" if the configuration cannot be read
	Checks  []Finding `json:"checks"`
}

// Finding is the answer to a check.
type Finding struct {
	Check   string `json:"check"`
	State   State  `json:"state"`
	Found   string `json:"found"`
	Advice  string `json:"advice,omitempty"`  // what to do
	Because string `json:"because,omitempty"` // the failed check, if this one was not run
	Depth   int    `json:"depth,omitempty"`   // in the tree; a check depends on the last one before it with a smaller depth
}

// State is how a check ended.
type State string

const (
	OK      State = "ok"
	Warning State = "warning" // works, but somebody should look at it
	Failed  State = "FAILED"
	Unknown State = "unknown" // this machine does not say
	NotRun  State = "not run" // a check that it needs has failed
)

// Find makes a finding.
func Find(state State, format string, args ...any) Finding {
	return Finding{State: state, Found: fmt.Sprintf(format, args...)}
}

// Advise adds what to do.
func (f Finding) Advise(format string, args ...any) Finding {
	f.Advice = fmt.Sprintf(format, args...)
	return f
}

// Cause returns the name of the failed check, if f failed or was not run because of one.
func (f Finding) Cause() string {
	switch f.State {
	case Failed:
		return f.Check
	case NotRun:
		return f.Because
	}
	return ""
}

// Failed reports whether a check failed.
func (r Report) Failed() bool {
	for _, f := range r.Checks {
		if f.State == Failed {
			return true
		}
	}
	return false
}

// Print prints the report as text.
func (r Report) Print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, f := range r.Checks {
		fmt.Fprintf(w, "%s\t%s%s\t%s\n", f.State, strings.Repeat("  ", f.Depth), f.Check, f.Found)
		if f.Advice != "" {
			fmt.Fprintf(w, "\t\t→ %s\n", f.Advice)
		}
	}
	_ = w.Flush() // a failing terminal shows itself
}

// maxDepth is far more than the tree of checks has.
const maxDepth = 20

// Read reads a report that a kiosk sent. Its texts have no control characters then, which
// could change what a terminal shows.
func Read(text []byte) (r Report, err error) {
	if err := json.Unmarshal(text, &r); err != nil {
		return Report{}, fmt.Errorf("cannot read report: %w", err)
	}
	r.Machine, r.Kiosk = printable(r.Machine), printable(r.Kiosk)
	for i := range r.Checks {
		f := &r.Checks[i]
		f.Check, f.Found, f.Advice, f.Because, f.State = printable(f.Check), printable(f.Found), printable(f.Advice), printable(f.Because), State(printable(string(f.State)))
		f.Depth = max(0, min(f.Depth, maxDepth))
	}
	return r, nil
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, s)
}
