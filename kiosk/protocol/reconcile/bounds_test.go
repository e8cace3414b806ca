package reconcile

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// An announcement names the events of one epoch from its first through its last number.
func TestLostIsExact(t *testing.T) {
	l := Log{Opens: []Open{{Epoch: "e", From: 3, Through: 5}, {Epoch: "f", From: 8, Through: 8}}}
	for _, epoch := range []string{"e", "f", "g"} {
		for n := range uint64(10) {
			want := epoch == "e" && n >= 3 && n <= 5 || epoch == "f" && n == 8
			if got := l.lost(Place{epoch, n}); got != want {
				t.Errorf("event %d of epoch %s is lost: %v", n, epoch, got)
			}
		}
	}
}

// The hub has what its branches cover. Of an announced loss those numbers are missing that the
// hub does not have.
func TestHasAndMissing(t *testing.T) {
	l := Log{Branches: []Branch{{Epoch: "e", First: 1, Last: 2}, {Epoch: "e", First: 3, Last: 6}, {Epoch: "f", First: 7, Last: 7}}}
	for n := range uint64(9) {
		if got, want := l.Has(Place{"e", n}), n >= 1 && n <= 6; got != want {
			t.Errorf("the hub has event %d: %v", n, got)
		}
	}
	for _, o := range []struct {
		Open
		missing []Open
	}{
		{Open{Epoch: "e", From: 2, Through: 6}, nil},
		{Open{Epoch: "e", From: 6, Through: 6}, nil},
		{Open{Epoch: "e", From: 2, Through: 7}, []Open{{Epoch: "e", From: 7, Through: 7}}},
		{Open{Epoch: "e", From: 7, Through: 7}, []Open{{Epoch: "e", From: 7, Through: 7}}},
		{Open{Epoch: "f", From: 6, Through: 9}, []Open{{Epoch: "f", From: 6, Through: 6}, {Epoch: "f", From: 8, Through: 9}}},
		{Open{Epoch: "g", From: 1, Through: 1}, []Open{{Epoch: "g", From: 1, Through: 1}}},
		{Open{Epoch: "e"}, nil},
		{Open{Epoch: "g", Through: 5}, nil}, // no loss is known
	} {
		l.Opens = []Open{{Epoch: "e", From: 1, Through: 1}, o.Open}
		if got := l.Missing(); !slices.Equal(got, o.missing) {
			t.Errorf("of %+v are missing %+v, want %+v", o.Open, got, o.missing)
		}
	}
}

func TestForked(t *testing.T) {
	for _, c := range []struct {
		first, last uint64
		epoch       string
		forked      bool
	}{
		{1, 2, "e", false}, {1, 3, "e", true}, {4, 4, "e", true}, {5, 9, "e", true}, {6, 9, "e", false}, {1, 9, "f", false},
	} {
		l := Log{Branches: []Branch{{Epoch: "e", First: 3, Last: 5}, {Epoch: c.epoch, First: c.first, Last: c.last}}}
		if l.Forked("e") != c.forked || l.Forked("f") {
			t.Errorf("%d to %d of epoch %s and 3 to 5 of e: forked %v, f: %v", c.first, c.last, c.epoch, l.Forked("e"), l.Forked("f"))
		}
	}
}

// The newest event of a branch is known without reading it. A hub that cannot read says so.
func TestFind(t *testing.T) {
	l := Log{Branches: []Branch{{Epoch: "e", First: 1, Last: 3, Tip: "x3"}, {Epoch: "e", First: 2, Last: 3, Tip: "y3"}}}
	broken := errors.New("disk")
	fails := func(int, uint64) (ID, error) { return "", broken }
	reads := func(branch int, n uint64) (ID, error) { return ID(fmt.Sprintf("%c%d", "xy"[branch], n)), nil }
	for _, c := range []struct {
		n      uint64
		id     ID
		read   Read
		branch int
		err    error
	}{
		{3, "x3", fails, 0, nil}, {3, "y3", fails, 1, nil}, {3, "z3", fails, -1, nil}, {4, "x4", fails, -1, nil}, {0, "x0", fails, -1, nil},
		{2, "x2", fails, -1, broken}, {2, "x2", reads, 0, nil}, {2, "y2", reads, 1, nil}, {2, "z2", reads, -1, nil}, {1, "x1", reads, 0, nil}, {1, "y1", reads, -1, nil},
	} {
		if branch, err := l.Find(Place{"e", c.n}, c.id, c.read); branch != c.branch || err != c.err {
			t.Errorf("event %d, %s: branch %d, %v", c.n, c.id, branch, err)
		}
	}
}

func TestJoin(t *testing.T) {
	l := Log{
		Branches: []Branch{{Epoch: "e", First: 1, Last: 3, Tip: "x3"}, {Epoch: "old", First: 1, Last: 2}},
		Opens:    []Open{{Epoch: "e", From: 5, Through: 6, Vouches: "v"}},
	}
	for name, c := range map[string]struct {
		Event
		branch int
		ok     bool
	}{
		"the next":                  {Event{ID: "x4", Place: Place{"e", 4}, Previous: "x3"}, 0, true},
		"the next of another one":   {Event{ID: "y4", Place: Place{"e", 4}, Previous: "y3", After: Place{"e", 3}}, -1, false},
		"after a gap":               {Event{ID: "x5", Place: Place{"e", 5}, Previous: "x4", After: Place{"e", 4}}, -1, false},
		"after one that is lost":    {Event{ID: "z3", Place: Place{"old", 3}, Previous: "z2"}, 1, true},
		"before is not known":       {Event{ID: "x4", Place: Place{"e", 4}}, 0, true},
		"vouched for":               {Event{ID: "v", Place: Place{"e", 7}, Previous: "x6", After: Place{"e", 6}}, -1, true},
		"a second history":          {Event{ID: "y3", Place: Place{"e", 3}, Previous: "x3", After: Place{"e", 3}}, -1, true},
		"the first of an epoch":     {Event{ID: "f1", Place: Place{"f", 1}, Open: &Open{}}, -1, true},
		"an old first":              {Event{ID: "f1", Place: Place{"f", 1}}, -1, true},
		"the second of an epoch":    {Event{ID: "f2", Place: Place{"f", 2}}, -1, false},
		"loss from the first on":    {Event{ID: "f1", Place: Place{"f", 1}, Open: &Open{Epoch: "g", From: 1, Through: 2}}, -1, true},
		"loss after what is there":  {Event{ID: "f1", Place: Place{"f", 1}, Open: &Open{Epoch: "e", From: 4, Through: 4}}, -1, true},
		"loss after what is lost":   {Event{ID: "f1", Place: Place{"f", 1}, Open: &Open{Epoch: "e", From: 7, Through: 8}}, -1, true},
		"loss after what is unsaid": {Event{ID: "f1", Place: Place{"f", 1}, Open: &Open{Epoch: "e", From: 5, Through: 8}}, -1, false},
		"second loss of an epoch":   {Event{ID: "f1", Place: Place{"f", 1}, Open: &Open{Epoch: "g", From: 2, Through: 2}}, -1, false},
	} {
		branch, ok, err := l.Join(c.Event, func(int, uint64) (ID, error) { return "", nil })
		if branch != c.branch || ok != c.ok || err != nil {
			t.Errorf("%s: branch %d, %v, %v", name, branch, ok, err)
		}
	}
}

func TestResend(t *testing.T) {
	broken := errors.New("disk")
	for name, c := range map[string]struct {
		position, first uint64
		has             []Branch
		kept            uint64 // events from this one on are kept
		fails           uint64 // reading this event fails
		after           uint64
		lost            bool
		err             error
	}{
		"all is kept, the hub has some": {9, 1, []Branch{{Tip: "4"}}, 1, 0, 4, false, nil},
		"the hub has several branches":  {9, 1, []Branch{{Tip: "2"}, {Tip: "6"}}, 1, 0, 6, false, nil},
		"the hub has none":              {9, 1, nil, 1, 0, 0, false, nil},
		"it has the event before":       {9, 1, []Branch{{Tip: "8"}}, 1, 0, 0, true, nil},
		"the event before is lost":      {9, 3, nil, 9, 0, 2, true, nil},
		"one before that is lost":       {9, 3, []Branch{{Tip: "4"}}, 8, 0, 2, false, nil},
		"it has only the first":         {9, 3, []Branch{{Tip: "3"}}, 1, 0, 3, false, nil},
		"it has one before the first":   {9, 3, []Branch{{Tip: "2"}}, 1, 0, 2, false, nil},
		"it is the first itself":        {3, 3, nil, 1, 0, 2, true, nil},
		"it is the first of all":        {1, 1, nil, 1, 0, 0, true, nil},
		"the disk fails":                {9, 1, []Branch{{Tip: "4"}}, 1, 6, 0, false, broken},
	} {
		after, lost, err := Resend(c.position, c.first, c.has, func(at uint64) (ID, bool, error) {
			if at == c.fails {
				return "", false, broken
			}
			return ID(fmt.Sprint(at)), at >= c.kept, nil
		})
		if after != c.after || lost != c.lost || err != c.err {
			t.Errorf("%s: after %d, lost %v, %v", name, after, lost, err)
		}
	}
}

func TestLoss(t *testing.T) {
	for name, c := range map[string]struct {
		has  []Branch
		want Open
	}{
		"nothing is there":        {nil, Open{Epoch: "e", From: 1, Through: 6, Vouches: "x"}},
		"some are there":          {[]Branch{{Epoch: "e", First: 1, Last: 3}}, Open{Epoch: "e", From: 4, Through: 6, Vouches: "x"}},
		"the last is missing":     {[]Branch{{Epoch: "e", First: 1, Last: 5}}, Open{Epoch: "e", From: 6, Through: 6, Vouches: "x"}},
		"all are there":           {[]Branch{{Epoch: "e", First: 1, Last: 6}}, Open{Vouches: "x"}},
		"and others after it":     {[]Branch{{Epoch: "e", First: 1, Last: 9}}, Open{Vouches: "x"}},
		"only others after it":    {[]Branch{{Epoch: "e", First: 7, Last: 9}}, Open{Epoch: "e", From: 1, Through: 6, Vouches: "x"}},
		"the last alone is there": {[]Branch{{Epoch: "e", First: 6, Last: 6}, {Epoch: "e", First: 1, Last: 2}}, Open{Vouches: "x"}},
		"of another epoch":        {[]Branch{{Epoch: "f", First: 1, Last: 6}}, Open{Epoch: "e", From: 1, Through: 6, Vouches: "x"}},
	} {
		if got := Loss(Place{"e", 7}, "x", c.has); got != c.want {
			t.Errorf("%s: %+v, not %+v", name, got, c.want)
		}
	}
}
