package cuts

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// outcomes makes many cuts at the end of a log and counts the resulting folders, by
// their names and content.
func outcomes(t *testing.T, operations ...operation) map[string]int {
	t.Helper()
	log := &Log{operations: operations}
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[string]int{}
	for range 200 {
		err := log.Cut(len(operations), random, func(folder string) error {
			entries, err := os.ReadDir(folder)
			if err != nil {
				return err
			}
			look := ""
			for _, e := range entries {
				data, err := os.ReadFile(filepath.Join(folder, e.Name()))
				if err != nil {
					return err
				}
				look += e.Name() + "=" + string(bytes.ReplaceAll(data, []byte{0}, []byte("."))) + " "
			}
			seen[look]++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return seen
}

func TestCut(t *testing.T) {
	made := []operation{{Kind: link, File: 1, Name: "a"}, {Kind: syncFolder}}
	put := func(at int64, text string) operation {
		return operation{Kind: write, File: 1, At: at, Data: []byte(text)}
	}
	for _, test := range []struct {
		name string
		ops  []operation
		want []string // all that can be left
	}{
		{"synced", append(made, put(0, "old"), operation{Kind: syncFile, File: 1}), []string{"a=old "}},
		{"lost or kept", append(made, put(0, "new")), []string{"a= ", "a=new "}},
		{"folder not synced", []operation{{Kind: link, File: 1, Name: "a"}, put(0, "x"), {Kind: syncFile, File: 1}}, []string{"", "a=x "}},
		{"later one kept", append(made, put(0, "1"), put(1, "2")), []string{"a= ", "a=1 ", "a=.2 ", "a=12 "}},
		{"later one wins", append(made, put(0, "1"), put(0, "2")), []string{"a= ", "a=1 ", "a=2 "}},
		{
			"sync of another file", append(made, put(0, "1"), operation{Kind: syncFile, File: 2}),
			[]string{"a= ", "a=1 "},
		},
		{
			"shortened", append(made, put(0, "123"), operation{Kind: syncFile, File: 1}, operation{Kind: truncate, File: 1, At: 1}),
			[]string{"a=123 ", "a=1 "},
		},
		{
			"grown", append(made, operation{Kind: truncate, File: 1, At: 2}, operation{Kind: syncFile, File: 1}),
			[]string{"a=.. "},
		},
		{
			"renamed over", append(made, put(0, "old"), operation{Kind: syncFile, File: 1},
				operation{Kind: link, File: 2, Name: "b"}, operation{Kind: write, File: 2, Data: []byte("new")},
				operation{Kind: rename, Name: "b", NewName: "a"}),
			[]string{"a=old ", "a=old b= ", "a=old b=new ", "a= ", "a=new "},
		},
		{
			"names in order", append(made, operation{Kind: link, File: 2, Name: "b"}, operation{Kind: unlink, Name: "a"}),
			[]string{"a= ", "a= b= ", "b= "},
		},
		{
			"two names", append(made, operation{Kind: link, File: 1, Name: "b"}, operation{Kind: syncFolder}, put(0, "x")),
			[]string{"a= b= ", "a=x b=x "},
		},
	} {
		seen := outcomes(t, test.ops...)
		for _, want := range test.want {
			if seen[want] == 0 {
				t.Errorf("%s: never %q", test.name, want)
			}
			delete(seen, want)
		}
		for look, n := range seen {
			t.Errorf("%s: %d times %q", test.name, n, look)
		}
	}
}

// TestTear: a torn write keeps some complete sectors.
func TestTear(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	kept := map[int]int{} // how many of its 3 sectors
	for range 100 {
		data := operation{Kind: write, At: 500, Data: bytes.Repeat([]byte("x"), 600)} // 12, 512 and 76 bytes
		parts := data.tear(random)
		kept[len(parts)]++
		for _, p := range parts {
			if end := p.At + int64(len(p.Data)); end > 1100 || p.At/sector != (end-1)/sector || p.At != 500 && p.At%sector != 0 {
				t.Fatalf("a part from %d to %d", p.At, end)
			}
		}
	}
	if len(kept) != 4 {
		t.Errorf("kept %v", kept)
	}
}

func TestSave(t *testing.T) {
	log := &Log{operations: []operation{{Mark: &Mark{Box: 1, Point: Ack, Number: 2}}, {Kind: rename, Name: "a", NewName: "b"}}}
	path := filepath.Join(t.TempDir(), "log")
	if err := log.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := LoadLog(path)
	if err != nil {
		t.Fatal(err)
	}
	if e := got.Entries(); len(e) != 2 || *e[0].Mark != *log.operations[0].Mark || e[1].Mark != nil {
		t.Errorf("%v", e)
	}
	if err := os.WriteFile(path, []byte("no log"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadLog(path); err == nil {
		t.Error("read what is no log")
	}
}

func TestMoments(t *testing.T) {
	begin, end := Entry{Mark: &Mark{Box: 1, Point: Append}}, Entry{Mark: &Mark{Box: 1, Point: Append, End: true, Number: 1}}
	closing := Entry{Mark: &Mark{Box: 1, Point: Close}}
	got := moments([]Entry{{}, begin, {}, {}, end, closing, {}})
	want := map[Point][]int{Anywhere: {1, 2, 3, 4, 5, 6, 7}, Append: {3, 4, 5}, Close: {7}}
	if !maps.EqualFunc(got, want, slices.Equal[[]int]) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestReport adds the reports of several recordings and lists the points at which the
// power was not cut.
func TestReport(t *testing.T) {
	var total Report
	for i, p := range points[1:] {
		total.Add(Report{Cuts: 2, At: map[Point]int{Anywhere: 1, p: 1 + i%2}, Promised: 3, Bad: make([]Bad, i%2)})
	}
	n := len(points) - 1
	if total.Cuts != 2*n || total.Promised != 3*n || len(total.Bad) != n/2 || total.At[Anywhere] != n {
		t.Errorf("%+v", total)
	}
	if missed := total.Missed(); !slices.Equal(missed, points[:1]) {
		t.Errorf("missed %v", missed)
	}
	if got, want := total.During(), fmt.Sprintf("anywhere %d, create 0, place 1, migrate 2, ", n); !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q and on", got, want)
	}
}
