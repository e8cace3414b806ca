package webeid_test

import (
	"errors"
	"testing"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/trust"
)

// hostile is one thing that is wrong in a scene, and the reason it is to be
// refused for.
type hostile struct {
	name   string
	want   kiosk.Reason
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
			t.Log(err)
		})
	}
}
