package policy_test

import (
	"slices"
	"testing"
	"time"

	"smartkiosk/kiosk/policy"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// The syncer says how old everything is that it fetches, and why an attempt failed.
func TestTasks(t *testing.T) {
	b := newBench(t)
	is := func(want ...policy.Task) {
		t.Helper()
		if got := b.syncer.Tasks(); !slices.Equal(got, want) {
			t.Errorf("the tasks are\n%+v, want\n%+v", got, want)
		}
	}
	is(policy.Task{Name: policy.TaskPolicy, Late: time.Hour})
	b.down = true
	_ = b.syncer.Fetch(t.Context())
	is(policy.Task{Name: policy.TaskPolicy, Late: time.Hour, Problem: errDown.Error()})
	b.down = false
	b.policy.AskEvery = hubpolicy.Duration(30 * time.Minute)
	b.policy.Offline = hubpolicy.OfflineRules{Rule: hubpolicy.Known, KnownDays: 3, UntrustedClock: hubpolicy.Deny}
	b.fetch()
	b.at = b.at.Add(3 * time.Hour)
	crl := policy.Task{Name: policy.TaskCRL + "test", Done: noon, Age: 3 * time.Hour, Late: 3 * 24 * time.Hour}
	is(policy.Task{Name: policy.TaskPolicy, Done: noon, Age: 3 * time.Hour, Late: 2 * time.Hour},
		policy.Task{Name: policy.TaskKnown, Done: noon, Age: 3 * time.Hour, Late: 2 * time.Hour}, crl)
	b.down = true
	_ = b.syncer.Fetch(t.Context())
	is(policy.Task{Name: policy.TaskPolicy, Done: noon, Age: 3 * time.Hour, Late: 2 * time.Hour, Problem: errDown.Error()},
		policy.Task{Name: policy.TaskKnown, Done: noon, Age: 3 * time.Hour, Late: 2 * time.Hour}, crl)
}
