// Benchtable turns the output of "go test -bench" (standard input) into the
// project's table of measurements. rows.toml names the rows and the row that each
// is compared with. The program prints the table and writes it as JSON.
//
// With -abuse it does the same for the rows of abuse.toml and the output of "make abuse",
// and adds them to the rows that the JSON file has.
//
// It fails if a benchmark failed, or if no benchmark measured one of the rows.
package main

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/pelletier/go-toml/v2"
)

//go:embed rows.toml
var rowsFile string

//go:embed abuse.toml
var abuseFile string

// row is an entry of rows.toml.
type row struct {
	Name         string   `toml:"name"`
	Of           string   `toml:"of"`            // benchmark and metric: "BenchmarkAppend ns/op"
	Unit         string   `toml:"unit"`          // as printed
	Scale        float64  `toml:"scale"`         // factor from the metric to the unit; 0 means 1
	PerSec       bool     `toml:"persec"`        // the metric is ns/op, the value is operations per second
	Over         string   `toml:"over"`          // another metric to divide by, for a ratio
	AtMost       *float64 `toml:"atmost"`        // target, an upper bound
	Least        *float64 `toml:"atleast"`       // target, a lower bound
	ComparedWith string   `toml:"compared_with"` // the name of another row
}

// Result is an entry of bench.json.
type Result struct {
	Name         string      `json:"name"`
	Value        float64     `json:"value"`
	Unit         string      `json:"unit"`
	Target       *float64    `json:"target"`
	Met          *bool       `json:"met"` // null where no target is set
	ComparedWith *Comparison `json:"compared_with"`
}

// Comparison is the value of another row, measured in the same run.
type Comparison struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

func main() {
	abuse := flag.Bool("abuse", false, "use the rows of make abuse, and add them to bench.json")
	flag.Parse()
	err := error(nil)
	if *abuse {
		err = run(os.Stdin, os.Stdout, os.Stderr, "bench.json", abuseFile, true)
	} else {
		err = run(os.Stdin, os.Stdout, os.Stderr, "bench.json", rowsFile, false)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchtable:", err)
		os.Exit(1)
	}
}

// run makes the table of rows. With add it keeps the other results in file.
func run(in io.Reader, out, progress io.Writer, file, rows string, add bool) error {
	metrics, err := read(in, progress)
	if err != nil {
		return err
	}
	var table struct {
		Row []row `toml:"row"`
	}
	if err := toml.NewDecoder(strings.NewReader(rows)).DisallowUnknownFields().Decode(&table); err != nil {
		return fmt.Errorf("cannot read the rows: %w", err)
	}
	results, err := fill(table.Row, metrics)
	if err != nil {
		return err
	}
	all := results
	if add {
		others, err := readOthers(file, results)
		if err != nil {
			return err
		}
		all = append(others, results...)
	}
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return print(out, table.Row, results)
}

// readOthers returns the results in file, without those that are measured again.
func readOthers(file string, results []Result) (others []Result, err error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &others)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot add to %s: %w", file, err)
	}
	return slices.DeleteFunc(others, func(old Result) bool {
		return slices.ContainsFunc(results, func(r Result) bool { return r.Name == old.Name })
	}), nil
}

// read returns the metrics by "Benchmark unit". It copies each line that it reads
// to progress.
func read(in io.Reader, progress io.Writer) (map[string]float64, error) {
	metrics := map[string]float64{}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) > 0 && (words[0] == "FAIL" || words[0] == "---" && words[1] != "PASS:" || words[0] == "panic:"):
			_, _ = io.Copy(progress, in)
			return nil, errors.New("a benchmark failed: " + lines.Text())
		case len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark"):
			continue
		}
		name := words[0]
		if i := strings.LastIndex(name, "-"); i > 0 { // cut the number of processors
			name = name[:i]
		}
		fmt.Fprintln(progress, lines.Text())
		for i := 2; i+1 < len(words); i += 2 {
			value, err := strconv.ParseFloat(words[i], 64)
			if err != nil {
				return nil, fmt.Errorf("cannot read %q: %w", lines.Text(), err)
			}
			metrics[name+" "+words[i+1]] = value
		}
	}
	return metrics, nil
}

// fill computes the results of rows.
func fill(rows []row, metrics map[string]float64) ([]Result, error) {
	var results []Result
	for _, r := range rows {
		value, err := r.value(metrics)
		if err != nil {
			return nil, err
		}
		result := Result{Name: r.Name, Value: value, Unit: r.Unit}
		switch {
		case r.AtMost != nil:
			met := value <= *r.AtMost
			result.Target, result.Met = r.AtMost, &met
		case r.Least != nil:
			met := value >= *r.Least
			result.Target, result.Met = r.Least, &met
		}
		results = append(results, result)
	}
	for i, r := range rows {
		if r.ComparedWith == "" {
			continue
		}
		for _, other := range results {
			if other.Name == r.ComparedWith {
				results[i].ComparedWith = &Comparison{other.Name, other.Value, other.Unit}
			}
		}
		if results[i].ComparedWith == nil {
			return nil, fmt.Errorf("row %q is compared with %q, which does not exist", r.Name, r.ComparedWith)
		}
	}
	return results, nil
}

func (r row) value(metrics map[string]float64) (float64, error) {
	value, ok := metrics[r.Of]
	if !ok {
		return 0, fmt.Errorf("no benchmark measured %q for the row %q", r.Of, r.Name)
	}
	if r.PerSec {
		value = 1e9 / value
	}
	if r.Scale != 0 {
		value *= r.Scale
	}
	if r.Over != "" {
		under, ok := metrics[r.Over]
		if !ok {
			return 0, fmt.Errorf("no benchmark measured %q for the row %q", r.Over, r.Name)
		}
		value /= under
	}
	return value, nil
}

func print(out io.Writer, rows []row, results []Result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tVALUE\tUNIT\tTARGET\tMET\tCOMPARED WITH")
	for i, r := range results {
		target, met, comparison := "–", "–", "–"
		if r.Target != nil {
			sign := "≤"
			if rows[i].Least != nil {
				sign = "≥"
			}
			target, met = sign+" "+number(*r.Target), "yes"
			if !*r.Met {
				met = "NO"
			}
		}
		if r.ComparedWith != nil {
			comparison = fmt.Sprintf("%s %s %s", number(r.ComparedWith.Value), r.ComparedWith.Unit, r.ComparedWith.Name)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, number(r.Value), r.Unit, target, met, comparison)
	}
	return w.Flush()
}

// number formats v with three significant digits, or with all digits before the
// point.
func number(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
