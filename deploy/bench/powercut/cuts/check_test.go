package cuts

import (
	"errors"
	"os"
	"strings"
	"testing"

	"smartkiosk/store"
)

// newBox is a new outbox of 5 unsealed records. Its consumer is not required.
const newBox = 11

// written creates newBox in a folder and returns the promises.
func written(t *testing.T) (folder string, p *promise) {
	t.Helper()
	folder = t.TempDir()
	s, err := store.Open(boxPath(folder, newBox), options(newBox))
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := s.Append(chain{box: newBox}.seal); err != nil {
			t.Fatal(err)
		}
	}
	w := Writer{Folder: folder, Mark: func(Mark) error { return nil }}
	l := life{Writer: &w, box: newBox, path: boxPath(folder, newBox)}
	if err := l.keeps(false); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return folder, &promise{old: -1, there: true, appended: 5, tried: 5, parked: map[uint64]bool{}, records: true, kept: 6, keeping: 6}
}

// TestCheckNotices breaks each promise.
func TestCheckNotices(t *testing.T) {
	reopened := func(f func(*store.Store) error) func(string) error {
		return func(path string) error {
			s, err := store.Open(path, options(newBox))
			if err != nil {
				return err
			}
			defer s.Close()
			return f(s)
		}
	}
	for _, test := range []struct {
		name   string
		change func(path string) error
		say    func(*promise)
		want   string // "" when nothing is wrong
	}{
		{name: "sound"},
		{name: "not tried", say: func(p *promise) { p.tried = 4 }, want: "newest record is 5, not 5 to 4"},
		{name: "lost at the end", say: func(p *promise) { p.appended, p.tried = 6, 6 }, want: "newest record is 5, not 6 to 6"},
		{name: "gone", change: os.Remove, want: "the outbox is missing"},
		{name: "never made", change: func(path string) error { return errors.Join(os.Remove(path), os.Remove(recordsPath(path))) }, say: func(p *promise) { *p = promise{old: -1} }},
		{name: "made, but empty", change: func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return reopened(func(*store.Store) error { return nil })(path)
		}, want: "newest record is 0, not 5 to 5"},
		{name: "damaged", change: func(path string) error { return os.Truncate(path, 8192) }, want: store.ErrDamaged.Error()},
		{name: "damaged on purpose", change: damage, say: func(p *promise) { p.damaged = true }},
		{name: "acknowledged by itself", change: reopened(func(s *store.Store) error { return s.Ack(2) }), want: "through 2 are acknowledged"},
		{
			name: "cursor moved by itself", change: reopened(func(s *store.Store) error { return s.Advance(consumer, 2) }),
			want: "cursor is at 2",
		},
		{
			name: "a dead letter that was not moved", change: reopened(func(s *store.Store) error { return s.MoveToDeadLetters(3, standIn) }),
			want: "record 3 became a dead letter without being moved there",
		},
		{
			name: "perhaps parked", change: reopened(func(s *store.Store) error { return s.MoveToDeadLetters(3, standIn) }),
			say: func(p *promise) { p.parked[3], p.parked[4] = false, false },
		},
		{name: "not parked", say: func(p *promise) { p.parked[3] = true }, want: "dead letter 3 is missing"},
		{
			name: "another stands in", change: reopened(func(s *store.Store) error {
				return s.MoveToDeadLetters(3, func([]byte, store.Record) ([]byte, error) { return []byte("other"), nil })
			}),
			say: func(p *promise) { p.parked[3] = true }, want: "record 3: it is neither the appended record nor its stand-in",
		},
		{
			name: "another record",
			change: reopened(func(s *store.Store) error {
				_, err := s.Append(chain{box: 3}.seal)
				return err
			}),
			say: func(p *promise) { p.appended, p.tried = 6, 6 }, want: "record 6: it is neither the appended record nor its stand-in",
		},
		{
			name: "records gone", change: func(path string) error { return os.Remove(recordsPath(path)) },
			want: "the device's records are missing",
		},
		{name: "records old", say: func(p *promise) { p.kept, p.keeping = 7, 7 }, want: "the device's records are of write 6, not 7 to 7"},
		{name: "records ahead", say: func(p *promise) { p.kept, p.keeping = 4, 5 }, want: "the device's records are of write 6, not 4 to 5"},
		{
			name: "records in part",
			change: func(path string) error {
				r, err := store.OpenRecords(recordsPath(path))
				if err != nil {
					return err
				}
				defer r.Close()
				return r.Put(keptBucket, map[string][]byte{keptNumber: []byte("7")})
			},
			say: func(p *promise) { p.keeping = 7 }, want: "the device's records differ from those after write 7",
		},
		{
			name: "records damaged", change: func(path string) error { return os.Truncate(recordsPath(path), 8192) },
			want: store.ErrDamaged.Error(),
		},
	} {
		folder, p := written(t)
		if test.change != nil {
			if err := test.change(boxPath(folder, newBox)); err != nil {
				t.Fatal(err)
			}
		}
		if test.say != nil {
			test.say(p)
		}
		err := Checker{}.Check(folder, Promises{boxes: map[int]*promise{newBox: p}})
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// TestMayDelete: the newest deletable record when the records through 100 are
// acknowledged.
func TestMayDelete(t *testing.T) {
	for _, test := range []struct {
		box      int
		advanced uint64
		want     uint64
	}{
		{box: 3, want: 100},               // keeps nothing, requires no consumer
		{box: 2, want: 80},                // keeps 20
		{box: 9, advanced: 30, want: 30},  // needs its consumer
		{box: 1, advanced: 30, want: 20},  // both
		{box: 1, advanced: 200, want: 90}, // the consumer was first
	} {
		p := &promise{acked: 100, advanced: test.advanced}
		if got := p.mayDelete(test.box); got != test.want {
			t.Errorf("outbox %d, consumer at %d: through %d, want %d", test.box, test.advanced, got, test.want)
		}
	}
}

func TestMatch(t *testing.T) {
	c := chain{box: 1}
	var all []store.Record
	var link []byte
	for seq := uint64(1); seq <= 4; seq++ {
		var r store.Record
		r.Sequence = seq
		r.Data, link = c.record(seq, link)
		all = append(all, r)
	}
	altered := append([]store.Record{}, all...)
	altered[1].Data = append([]byte{1}, altered[1].Data...)
	for _, test := range []struct {
		name        string
		records     []store.Record
		first, last uint64
		want        string
	}{
		{"all", all, 1, 4, ""},
		{"without those that were deleted", all[2:], 3, 4, ""},
		{"none", nil, 5, 4, ""},
		{"gap", []store.Record{all[0], all[2]}, 1, 3, "record 3 is in the place of record 2"},
		{"twice", []store.Record{all[0], all[0], all[1]}, 1, 2, "record 1 is in the place of record 2"},
		{"end", all[:3], 1, 4, "record 4 is missing"},
		{"too many", all, 1, 3, "1 records come after the last"},
		{"altered", altered, 1, 4, "record 2: it is neither the appended record nor its stand-in"},
	} {
		e := expected{chain: c, old: none}
		err := e.match(test.records, test.first, test.last)
		if got := errorText(err); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestParseMark(t *testing.T) {
	for _, m := range []Mark{{Box: 3, Point: Append, End: true, Number: 17}, {Box: 1, Point: Create}} {
		if got, err := ParseMark(m.String()); err != nil || got != m {
			t.Errorf("%v: %v, %v", m, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                       `cannot read mark ""`,
		"1:append:end":           `cannot read mark "1:append:end"`,
		"1:append:middle:2":      `cannot read mark "1:append:middle:2"`,
		"x:append:end:2":         `cannot read mark "x:append:end:2": strconv.Atoi: parsing "x": invalid syntax`,
		"1:append:end:-2":        `cannot read mark "1:append:end:-2": strconv.ParseUint: parsing "-2": invalid syntax`,
		"1:append:end:2:trailer": `cannot read mark "1:append:end:2:trailer"`,
	} {
		if _, err := ParseMark(text); errorText(err) != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzParseMark(f *testing.F) {
	f.Add("3:append:end:17")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMark(text)
		if err != nil {
			return
		}
		if again, err := ParseMark(m.String()); err != nil || again != m {
			t.Errorf("%q is %v, which is read as %v, %v", text, m, again, err)
		}
	})
}
