package frontpanel

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/terminal"
)

// Report says that a part has changed, for the event log.
type Report struct {
	Section string // the part's section in the board file
	State   State
	Problem string // what a technician can do something about, or ""
}

// State is the new state of a part.
type State string

const (
	Found State = "found"
	Lost  State = "lost"
	Stuck State = "stuck" // some of its keys; a report never says which
	Freed State = "freed"

	Unopened State = "unopened" // the housing is closed
	Opened   State = "opened"   // the housing is open, or the wire of its switch is cut
	Unknown  State = "unknown"  // the switch of the housing cannot be read
)

// reportBuffer is how many reports may wait to be recorded.
const reportBuffer = 64

// health tracks the states of all parts. Its run goroutine owns them.
type health struct {
	log     *slog.Logger
	states  chan terminal.PartState
	reports chan Report

	parts    []*part
	changes  chan change
	ended    chan struct{}
	reported map[kiosk.Part]State
	waiting  []terminal.PartState // to be sent; at most one for each part
}

// part is the health of one part.
type part struct {
	health  *health
	section string
	need    kiosk.Part // the kind of part that a visit needs, or "" if it needs none like it
	condition
	warned time.Time // when a failure was logged last
}

// change is a report about a part, or a change of its error if report is nil.
type change struct {
	part   *part
	err    error
	report *Report
}

func newHealth(log *slog.Logger) *health {
	return &health{
		log: log, states: make(chan terminal.PartState), reports: make(chan Report, reportBuffer),
		changes: make(chan change), ended: make(chan struct{}), reported: map[kiosk.Part]State{},
	}
}

// part adds a part. It must be called before run.
func (h *health) part(section string, need kiosk.Part) *part {
	p := &part{health: h, section: section, need: need, condition: newCondition(time.Now())}
	h.parts = append(h.parts, p)
	return p
}

// needed lists the parts that every visit needs.
func (h *health) needed() []kiosk.Part {
	var all []kiosk.Part
	for _, p := range h.parts {
		if p.need != "" && !slices.Contains(all, p.need) {
			all = append(all, p.need)
		}
	}
	return all
}

// setError sets the part's error; nil means that it works.
func (p *part) setError(err error) { p.health.send(change{part: p, err: err}) }

// report sends a report about the part.
func (p *part) report(r Report) { p.health.send(change{part: p, report: &r}) }

func (h *health) send(c change) {
	select {
	case h.changes <- c:
	case <-h.ended:
	}
}

// run receives changes and announces them until ctx ends.
func (h *health) run(ctx context.Context) {
	defer close(h.ended)
	for {
		timer := time.NewTimer(h.untilDue())
		var states chan terminal.PartState
		var next terminal.PartState
		if len(h.waiting) > 0 {
			states, next = h.states, h.waiting[0]
		}
		select {
		case c := <-h.changes:
			if c.report != nil {
				h.logReport(c.part, *c.report)
			} else {
				h.warn(c.part, c.err)
				c.part.condition.update(c.err, time.Now())
			}
		case states <- next:
			h.waiting = h.waiting[1:]
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
		for _, p := range h.parts {
			before := p.reported
			if state := p.next(time.Now()); state != "" {
				h.announce(p, state, before)
			}
		}
	}
}

// warnEvery is the shortest time between two warnings about one part.
const warnEvery = time.Minute

// warn logs that a working part fails, which may be over soon.
func (h *health) warn(p *part, err error) {
	if err != nil && p.err == nil && p.reported == Found && time.Since(p.warned) >= warnEvery {
		p.warned = time.Now()
		h.log.Warn("a part of the panel fails", "part", p.section, "err", err)
	}
}

func (h *health) untilDue() time.Duration {
	d := time.Hour
	for _, p := range h.parts {
		d = min(d, p.condition.untilDue(time.Now()))
	}
	return d
}

// announce tells the visits, the log and the event log that a part is lost or found.
func (h *health) announce(p *part, now, before State) {
	if p.need != "" {
		h.announceNeed(p.need)
	}
	switch {
	case now == Lost && p.need != "" && h.reported[p.need] == Lost:
		h.log.Error("out of service: a part of the panel is lost; look at its plugs, wires and supply", "part", p.section, "err", p.err)
	case now == Lost:
		h.log.Error("a part of the panel is lost; look at its plugs, wires and supply", "part", p.section, "err", p.err)
	default:
		h.log.Info("a part of the panel works", "part", p.section)
	}
	if now == Lost {
		h.enqueue(Report{Section: p.section, State: Lost, Problem: p.err.Error()})
	} else if before == Lost { // the first Found after the start is not reported
		h.enqueue(Report{Section: p.section, State: Found})
	}
}

// announceNeed tells the visits whether any part of a kind works, if that has
// changed. One of two displays is enough.
func (h *health) announceNeed(need kiosk.Part) {
	state := Lost
	for _, p := range h.parts {
		switch {
		case p.need != need:
		case p.reported == Found:
			state = Found
		case p.reported == "" && state == Lost:
			state = ""
		}
	}
	if state == "" || state == h.reported[need] {
		return
	}
	h.reported[need] = state
	h.waiting = slices.DeleteFunc(h.waiting, func(s terminal.PartState) bool { return s.Part == need })
	h.waiting = append(h.waiting, terminal.PartState{Part: need, Works: state == Found})
}

// logReport logs a report and passes it on.
func (h *health) logReport(p *part, r Report) {
	r.Section = p.section
	switch r.State {
	case Stuck:
		h.log.Warn("keys are stuck and are ignored until they are released", "part", r.Section, "reason", r.Problem)
	case Freed:
		h.log.Info("stuck keys are released", "part", r.Section)
	case Unopened:
		h.log.Info("the housing is closed", "part", r.Section)
	default:
		h.log.Warn("the housing is open, or its switch cannot be read", "part", r.Section, "state", r.State)
	}
	h.enqueue(r)
}

// enqueue passes a report to the reader of Panel.Reports.
func (h *health) enqueue(r Report) {
	select {
	case h.reports <- r:
	default:
		h.log.Error("cannot record a report: too many reports wait", "part", r.Section, "state", r.State)
	}
}
