package fleet

import (
	"strings"
	"testing"
	"time"
)

// A simulation of a whole day has as many visits as one without the curve.
func TestCurveIsADay(t *testing.T) {
	p := Plan{Rate: 60, Day: true}
	var visits float64
	for hour := range 24 {
		visits += p.rateAt((float64(hour)+0.5)/24) / 24
	}
	if visits < 59.9 || visits > 60.1 {
		t.Errorf("the average rate is %.2f visits a minute, want 60", visits)
	}
}

// The check at the end finds an event that the feed lacks.
func TestFeedIsChecked(t *testing.T) {
	s := &simulation{Plan: Plan{Kiosks: 2, Rate: 1, For: time.Second}, report: newReport()}
	if err := s.prepare(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	for _, what := range append([]kind{valid}, kinds...) {
		s.kiosks[0].visit(what, s.report)
	}
	if err := s.checkFeed(t.Context()); err != nil || s.report.Events != 12 || s.report.Errors() > 0 {
		t.Fatalf("%d events, %d errors, %v", s.report.Events, s.report.Errors(), err)
	}
	var text strings.Builder
	if _, err := s.report.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"valid card               granted                1\n",
		"revoked card             denied, revoked        1\n",
		"nonce used twice         denied, nonce-used     1\n",
		"The feed is exact: 12 events, each once and in order.\n",
	} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("%q is missing in\n%s", line, text.String())
		}
	}

	s.kiosks[1].sequence = 1 // recorded, but never sent
	if err := s.checkFeed(t.Context()); err == nil || err.Error() != "the feed has 0 events of kiosks, want 13" {
		t.Errorf("an event is missing: %v", err)
	}
}
