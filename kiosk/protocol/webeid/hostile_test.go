package webeid_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
)

// hostile is one thing that is wrong in a scene, the reason it is to be
// refused for, and words of the refusal, or of why the CRL was not taken,
// where the reason alone would not tell that it was for this very thing.
type hostile struct {
	name   string
	want   kiosk.Reason
	words  string
	change func(s *scene)
}

// judgeAll judges a scene per row, made by start.
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
