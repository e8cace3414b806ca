package webeid_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
)

// hostile is one fault in a scene and the expected reason of the refusal. words
// is part of the expected text of the refusal, or of the error from reading the
// CRL. It is set where other faults have the same reason.
type hostile struct {
	name   string
	want   kiosk.Reason
	words  string
	change func(s *scene)
}

// judgeAll makes a scene with start for each row, applies the row's change and
// checks the refusal.
func judgeAll(t *testing.T, start func(testing.TB) *scene, rows []hostile) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := start(t)
			row.change(s)
			holder, err := s.judge()
			refusal, ok := errors.AsType[*trust.Refusal](err)
			if !ok {
				t.Fatalf("got %+v, %v; want a refusal for %s", holder, err, row.want)
			}
			if refusal.Reason != row.want {
				t.Errorf("refused for %v; want %s", err, row.want)
			}
			if holder != (kiosk.Holder{}) {
				t.Errorf("refused, yet names %+v", holder)
			}
			if !strings.Contains(fmt.Sprint(err, s.crlErr), row.words) {
				t.Errorf("refused for %v, %v; want %q", err, s.crlErr, row.words)
			}
		})
	}
}
