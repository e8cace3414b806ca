//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"smartkiosk/device/board"
)

// errNotRight means that a part failed or was not tested. The result is printed.
var errNotRight = errors.New("not every part was found right")

// testReport is what "kioskctl panel test --json" prints.
type testReport struct {
	File    string        `json:"file"`
	Name    string        `json:"name"`
	Machine string        `json:"machine"`
	Begun   time.Time     `json:"begun"`
	Ended   time.Time     `json:"ended"`
	Right   bool          `json:"right"` // every part was right
	Parts   []*partResult `json:"parts"`
}

// partResult is the result of the test of one part. It contains no pressed keys.
type partResult struct {
	Section string   `json:"section"`
	About   string   `json:"about"`
	Result  string   `json:"result"`
	Notes   []string `json:"notes"`
}

// The results of a test.
const (
	right   = "right"
	wrong   = "wrong"
	untried = "not tested"
)

func (r *partResult) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// fail records a fault. Later steps cannot change the result back.
func (r *partResult) fail(format string, args ...any) {
	r.Result = wrong
	r.note(format, args...)
}

// miss records what was not tested.
func (r *partResult) miss(format string, args ...any) {
	if r.Result == right {
		r.Result = untried
	}
	r.note(format, args...)
}

// trial is the test of one part.
type trial struct {
	person
	*partResult
	machine machine
	stopped bool
}

func (p program) panelTest(ctx context.Context, o panelOptions, names []string) error {
	w, err := o.load()
	if err != nil {
		return err
	}
	parts, err := w.parts(names)
	if err != nil {
		return err
	}
	if w.kioskdRuns() {
		return errors.New("kioskd runs, and has the panel: stop it first (sudo systemctl stop kioskd), and start it after the test")
	}
	who, done, err := p.person()
	if err != nil {
		return err
	}
	defer done()
	report := testReport{File: w.file, Name: w.Name, Machine: p.machine.model(), Begun: p.machine.now().UTC(), Right: true}
	stopped := false
	for _, part := range parts {
		t := &trial{person: who, machine: p.machine, partResult: &partResult{Section: part.Section(), About: part.Describe().Wiring, Result: right, Notes: []string{}}}
		if stopped || ctx.Err() != nil {
			t.miss("the test was stopped before")
		} else {
			t.say("%s: %s", part.Section(), t.About)
			t.run(ctx, part)
			t.say("  %s", t.Result)
			if t.Result != right {
				t.say("  %s", strings.Join(t.Notes, "\n  "))
			}
		}
		stopped = stopped || t.stopped
		report.Right = report.Right && t.Result == right
		report.Parts = append(report.Parts, t.partResult)
	}
	report.Ended = p.machine.now().UTC()
	if o.json {
		err = p.printJSON(report)
	} else {
		_, err = fmt.Fprint(p.stdout, report)
	}
	if err == nil && !report.Right {
		err = errNotRight
	}
	return err
}

// run tests a part according to its type, unless look already reports a fault.
func (t *trial) run(ctx context.Context, part board.Part) {
	switch state, why := t.machine.look(part); state {
	case fault:
		t.fail("%s", why)
		return
	case inUse:
		t.fail("%s: stop it first (sudo systemctl stop kioskd)", why)
		return
	case there:
		t.note("%s", why)
	}
	switch d := part.(type) {
	case board.Keypad:
		t.keypad(ctx, d)
	case board.Display:
		t.display(ctx, d)
	case board.Sounder:
		t.buzzer(ctx, d)
	case *board.Lamps:
		t.lamps(ctx, d)
	case *board.Strike:
		t.strike(ctx, d)
	case *board.Tamper:
		t.tamper(ctx, d)
	case *board.Watchdog:
		t.note("not started: it would restart the machine")
	}
}

// confirm calls do and asks whether the effect is as it should be. It repeats do as
// often as the person wants, and records the answer: seen, or the advice in help.
func (t *trial) confirm(ctx context.Context, do func() error, question, seen, help string) {
	for {
		if err := do(); err != nil {
			t.fail("%v", err)
			return
		}
		switch t.ask(ctx, question, yes, no, again) {
		case again:
			continue
		case yes:
			t.note("%s", seen)
		case no:
			t.fail("not so: %s; %s", seen, help)
		case skip:
			t.miss("no answer: %s", seen)
		case stop:
			t.stopped = true
			t.miss("stopped: %s", seen)
		}
		return
	}
}

// String returns the report as text.
func (r testReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-16s %s\n%-16s %s\n", "Panel", r.Name, "", r.File)
	if r.Machine != "" {
		fmt.Fprintf(&b, "%-16s %s\n", "Machine", r.Machine)
	}
	fmt.Fprintf(&b, "%-16s %s\n", "Tested", r.Begun.Format(time.RFC3339))
	for _, p := range r.Parts {
		fmt.Fprintf(&b, "%-16s %s\n", p.Section, p.Result)
		for _, n := range p.Notes {
			fmt.Fprintf(&b, "%-16s %s\n", "", n)
		}
	}
	return b.String()
}
