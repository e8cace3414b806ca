package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

func ptr(f float64) *float64 { return &f }

func TestFill(t *testing.T) {
	metrics, err := read(strings.NewReader("goos: linux\nBenchmarkA/x-2 \t 10 \t 2000000 ns/op \t 25 apdus/op\nBenchmarkB-2 5 500000 ns/op\nPASS\n"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	results, err := fill([]row{
		{Name: "time", Of: "BenchmarkA/x ns/op", Unit: "ms", Scale: 1e-6, AtMost: ptr(1), ComparedWith: "rate"},
		{Name: "rate", Of: "BenchmarkB ns/op", Unit: "/s", PerSec: true, Least: ptr(1000)},
		{Name: "ratio", Of: "BenchmarkA/x ns/op", Over: "BenchmarkB ns/op", Unit: "times"},
	}, metrics)
	if err != nil {
		t.Fatal(err)
	}
	if r := results[0]; r.Value != 2 || *r.Met || r.ComparedWith.Value != 2000 {
		t.Errorf("time: %+v", r)
	}
	if r := results[1]; r.Value != 2000 || !*r.Met {
		t.Errorf("rate: %+v", r)
	}
	if r := results[2]; r.Value != 4 || r.Met != nil {
		t.Errorf("ratio: %+v", r)
	}
}

func TestRunRefusesHoles(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "no benchmark measured",
		"--- FAIL: BenchmarkX\nFAIL": "a benchmark failed: --- FAIL: BenchmarkX",
		"BenchmarkX-2 1 fast ns/op":  "cannot read",
	} {
		file := filepath.Join(t.TempDir(), "bench.json")
		if err := run(strings.NewReader(in), io.Discard, io.Discard, file, rowsFile, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%q: a table was written all the same", in)
		}
	}
}

// measured returns the output of benchmarks that measure every row of rows.toml.
func measured(t *testing.T) string {
	t.Helper()
	var table struct{ Row []row }
	if err := toml.Unmarshal([]byte(rowsFile), &table); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range table.Row {
		for _, metric := range []string{r.Of, r.Over} {
			if name, unit, ok := strings.Cut(metric, " "); ok {
				fmt.Fprintf(&b, "%s-2 1 1 %s\n", name, unit)
			}
		}
	}
	return b.String()
}

// Every row of rows.toml is in the table and in the JSON. A value that is not set
// is null.
func TestRun(t *testing.T) {
	in := measured(t)
	file := filepath.Join(t.TempDir(), "bench.json")
	var out bytes.Buffer
	if err := run(strings.NewReader(in), &out, io.Discard, file, rowsFile, false); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	if err := json.Unmarshal(data, &rows); err != nil || len(rows) < 8 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, r := range rows {
		for _, key := range []string{"name", "value", "unit", "target", "met", "compared_with"} {
			if _, ok := r[key]; !ok {
				t.Errorf("%v has no %s", r["name"], key)
			}
		}
		if name := r["name"].(string); !strings.Contains(out.String(), name) {
			t.Errorf("the table lacks %s", name)
		}
	}
}

// The rows of "make abuse" are added to the others, and replace older ones of the same name.
func TestAdd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bench.json")
	old := `[{"name": "other", "value": 1}, {"name": "memory of the hub during abuse", "value": 1}]`
	if err := os.WriteFile(file, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	in := "=== RUN   TestAbuse\nBenchmarkAbuse 1 1e7 quiet-p99-ns 2e7 flooded-p99-ns 100 hub-MiB 7 attempts/s\n--- PASS: TestAbuse (1s)\nPASS\n"
	for range 2 {
		if err := run(strings.NewReader(in), io.Discard, io.Discard, file, abuseFile, true); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var results []Result
		if err := json.Unmarshal(data, &results); err != nil || len(results) != 6 || results[0].Name != "other" || results[4].Value != 100 || results[3].Value != 2 {
			t.Errorf("the file holds %s, %v", data, err)
		}
	}
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(strings.NewReader(in), io.Discard, io.Discard, file, abuseFile, true); err == nil || !strings.Contains(err.Error(), "cannot add to") {
		t.Errorf("a damaged file: %v", err)
	}
}
