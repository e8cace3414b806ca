package reconcile

import (
	"reflect"
	"testing"
)

// A hub asks only for the lost numbers that it lacks. Otherwise a kiosk sends those that the
// hub has again, each time that kioskd starts.
func TestMissing(t *testing.T) {
	l := Log{
		Branches: []Branch{{Epoch: "e", First: 3, Last: 4}, {Epoch: "e", First: 7, Last: 7}, {Epoch: "f", First: 1, Last: 9}},
		Opens:    []Open{{}, {Epoch: "e", From: 2, Through: 8, Vouches: "x"}, {Epoch: "f", From: 2, Through: 8}, {Epoch: "g", From: 1, Through: 2}},
	}
	want := []Open{{Epoch: "e", From: 2, Through: 2}, {Epoch: "e", From: 5, Through: 6}, {Epoch: "e", From: 8, Through: 8}, {Epoch: "g", From: 1, Through: 2}}
	if got := l.Missing(); !reflect.DeepEqual(got, want) {
		t.Errorf("missing are %+v, want %+v", got, want)
	}
}
