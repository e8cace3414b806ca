package policy

import (
	"time"

	"smartkiosk/kiosk/protocol/hubpolicy"
)

// Task is the state of something that the kiosk gets from the hub again and again.
type Task struct {
	Name    string        `json:"name"`
	Done    time.Time     `json:"done,omitzero"`     // when it succeeded last; zero if not since the program started
	Age     time.Duration `json:"age,omitzero"`      // since Done, by the kiosk's clock; nanoseconds
	Late    time.Duration `json:"late"`              // the age from which it is late, or the time since the start if it was never done; nanoseconds
	Problem string        `json:"problem,omitempty"` // why the last attempt failed
}

// Names of the Syncer's tasks.
const (
	TaskPolicy = "policy"
	TaskKnown  = "known holders"
	TaskCRL    = "revocation list of " // with the trust domain
)

const (
	// A task is late after lateIntervals of its intervals, but not before minLate.
	lateIntervals = 4
	minLate       = time.Hour

	// crlLate is the age of a late revocation list if the policy states no maximum.
	// CAs of identity cards issue one each day.
	crlLate = 3 * 24 * time.Hour
)

// tasks is what a Syncer reports to other goroutines.
type tasks struct {
	policy, known Task
	crls          []Task
	asksKnown     bool
}

// Tasks returns the state of what the Syncer fetches. It may be called from any goroutine.
func (s *Syncer) Tasks() []Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []Task{s.tasks.policy}
	if s.tasks.asksKnown {
		all = append(all, s.tasks.known)
	}
	for i, name := range []string{TaskPolicy, TaskKnown}[:len(all)] {
		all[i].Name, all[i].Late = name, max(all[i].Late, minLate)
	}
	all = append(all, s.tasks.crls...)
	now := s.Clock.At()
	for i := range all {
		if !all[i].Done.IsZero() {
			all[i].Age = max(0, now.Sub(all[i].Done))
		}
	}
	return all
}

// report notes the result of a task.
func (s *Syncer) report(t *Task, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Late, t.Problem = lateIntervals*s.interval(), ""
	if err != nil {
		t.Problem = err.Error()
		return
	}
	t.Done = s.Clock.At()
}

// reportPolicy notes what the policy in force names.
func (s *Syncer) reportPolicy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks.asksKnown = s.policy.Offline.Rule == hubpolicy.Known
	s.tasks.crls = nil
	late := time.Duration(s.policy.Offline.CRLMaxAge)
	if late == 0 {
		late = crlLate
	}
	for _, named := range s.policy.CRLs {
		t := Task{Name: TaskCRL + named.Domain, Late: late, Problem: "it cannot be read"}
		if crl := s.crls[named.Digest]; crl != nil {
			t.Done, t.Problem = crl.ThisUpdate, ""
		}
		s.tasks.crls = append(s.tasks.crls, t)
	}
}
