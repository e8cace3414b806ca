package frontpanel

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/terminal"
)

// Report is what became of a part.
type Report struct {
	Section string // of the board file
	State   State
	Problem string // what there is to do something about; "" for nothing
}

// State is what a part came to.
type State string

const (
	Found State = "found"
	Lost  State = "lost"
	Stuck State = "stuck" // keys of it, and it is never told which
	Freed State = "freed"

	Unopened State = "unopened" // the housing
	Opened   State = "opened"   // the housing, or the wire of its switch is cut
	Unknown  State = "unknown"  // the line of the switch cannot be read
)

// reportBuffer is how many reports may wait for whoever writes them down.
const reportBuffer = 64

// health knows how all parts are. run owns what it knows.
type health struct {
	log     *slog.Logger
	states  chan terminal.PartState
	reports chan Report

	parts   []*part
	changes chan change
	ended   chan struct{}
	told    map[kiosk.Part]State
	waiting []terminal.PartState // to be sent, one for each part at most
}

// part is one part's health.
type part struct {
	health  *health
	section string
	need    kiosk.Part // "" for a part that a visit can do without
	condition
	warned time.Time // of a failure, whether the part is lost by it or not
}

// change is news of a part: a report, or else how it is.
type change struct {
	part   *part
	err    error
	report *Report
}

func newHealth(log *slog.Logger) *health {
	return &health{
		log: log, states: make(chan terminal.PartState), reports: make(chan Report, reportBuffer),
		changes: make(chan change), ended: make(chan struct{}), told: map[kiosk.Part]State{},
	}
}

// part adds a part, before run.
func (h *health) part(section string, need kiosk.Part) *part {
	p := &part{health: h, section: section, need: need, condition: newCondition(time.Now())}
	h.parts = append(h.parts, p)
	return p
}

// needed lists what no visit can do without.
func (h *health) needed() []kiosk.Part {
	var all []kiosk.Part
	for _, p := range h.parts {
		if p.need != "" && !slices.Contains(all, p.need) {
			all = append(all, p.need)
		}
	}
	return all
}

// is says that a part works, or why it does not.
func (p *part) is(err error) { p.health.send(change{part: p, err: err}) }

// tell says what else became of it.
func (p *part) tell(r Report) { p.health.send(change{part: p, report: &r}) }

func (h *health) send(c change) {
	select {
	case h.changes <- c:
	case <-h.ended:
	}
}

// run takes changes and tells of them until ctx ends.
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
				h.report(c.part, *c.report)
			} else {
				h.warn(c.part, c.err)
				c.part.condition.is(c.err, time.Now())
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
			before := p.told
			if state := p.look(time.Now()); state != "" {
				h.is(p, state, before)
			}
		}
	}
}

// warnEvery bounds how often it is told of a part that fails for a moment.
const warnEvery = time.Minute

// warn tells of a part that worked and fails, which may soon be over.
func (h *health) warn(p *part, err error) {
	if err != nil && p.err == nil && p.told == Found && time.Since(p.warned) >= warnEvery {
		p.warned = time.Now()
		h.log.Warn("a part of the panel fails", "part", p.section, "err", err)
	}
}

func (h *health) untilDue() time.Duration {
	d := time.Hour
	for _, p := range h.parts {
		d = min(d, p.in(time.Now()))
	}
	return d
}

// is tells who must know that a part is lost or found.
func (h *health) is(p *part, now, before State) {
	if p.need != "" {
		h.tellNeed(p.need)
	}
	switch {
	case now == Lost && p.need != "" && h.told[p.need] == Lost:
		h.log.Error("out of service: a part of the panel is lost; look at its plugs, wires and supply", "part", p.section, "err", p.err)
	case now == Lost:
		h.log.Error("a part of the panel is lost; look at its plugs, wires and supply", "part", p.section, "err", p.err)
	default:
		h.log.Info("a part of the panel works", "part", p.section)
	}
	if now == Lost {
		h.file(Report{Section: p.section, State: Lost, Problem: p.err.Error()})
	} else if before == Lost { // at the start it is no news
		h.file(Report{Section: p.section, State: Found})
	}
}

// tellNeed tells the visits whether one of the parts of a kind works, when that
// has changed. Two displays may stand in for each other.
func (h *health) tellNeed(need kiosk.Part) {
	state := Lost
	for _, p := range h.parts {
		switch {
		case p.need != need:
		case p.told == Found:
			state = Found
		case p.told == "" && state == Lost:
			state = ""
		}
	}
	if state == "" || state == h.told[need] {
		return
	}
	h.told[need] = state
	h.waiting = slices.DeleteFunc(h.waiting, func(s terminal.PartState) bool { return s.Part == need })
	h.waiting = append(h.waiting, terminal.PartState{Part: need, Works: state == Found})
}

// report takes what else became of a part.
func (h *health) report(p *part, r Report) {
	r.Section = p.section
	switch r.State {
	case Stuck:
		h.log.Warn("keys are stuck, and are out until they are let go", "part", r.Section, "reason", r.Problem)
	case Freed:
		h.log.Info("keys that were stuck are free", "part", r.Section)
	case Unopened:
		h.log.Info("the housing is closed", "part", r.Section)
	default:
		h.log.Warn("the housing is open, or nobody can tell", "part", r.Section, "state", r.State)
	}
	h.file(r)
}

// file puts a report where it is written down from.
func (h *health) file(r Report) {
	select {
	case h.reports <- r:
	default:
		h.log.Error("cannot report: too many reports wait", "part", r.Section, "state", r.State)
	}
}
