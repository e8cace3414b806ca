package fleet

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"smartkiosk/kiosk/protocol/event"
)

// Report is what a simulation found.
type Report struct {
	Events uint64 // of kiosks in the feed
	Feed   error  // nil if the feed is exactly what the kiosks have recorded

	mu       sync.Mutex
	duration time.Duration
	visits   int
	outcomes map[string]int             // by kind of visit and outcome
	times    map[string][]time.Duration // of requests that succeeded
	errors   map[string]int             // of requests, and others
}

func newReport() *Report {
	return &Report{outcomes: map[string]int{}, times: map[string][]time.Duration{}, errors: map[string]int{}}
}

// Visits returns how many visits there were.
func (r *Report) Visits() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.visits
}

// Errors returns how many requests failed.
func (r *Report) Errors() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, times := range r.errors {
		n += times
	}
	return n
}

func (r *Report) took(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.duration = d
}

func (r *Report) count(what kind, v event.Visit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.visits++
	outcome := string(v.Outcome)
	if v.Reason != "" {
		outcome += ", " + string(v.Reason)
	}
	r.outcomes[string(what)+"\t"+outcome]++
}

// time notes a request.
func (r *Report) time(request string, began time.Time, err error) {
	if err != nil {
		r.fault(request + ": " + err.Error())
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.times[request] = append(r.times[request], time.Since(began))
}

func (r *Report) fault(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors[text]++
}

// WriteTo writes the report as text.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var text strings.Builder
	fmt.Fprintf(&text, "%d visits in %s, %.0f a minute\n", r.visits, r.duration.Round(100*time.Millisecond), float64(r.visits)/max(r.duration.Minutes(), 1e-9))
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nVISIT\tOUTCOME\tNUMBER")
	for _, what := range slices.Sorted(maps.Keys(r.outcomes)) {
		fmt.Fprintf(table, "%s\t%d\n", what, r.outcomes[what])
	}
	table.Flush()
	fmt.Fprintln(table, "\nREQUEST\tNUMBER\tMEDIAN\tP99\tLONGEST")
	for _, request := range slices.Sorted(maps.Keys(r.times)) {
		times := r.times[request]
		slices.Sort(times)
		at := func(part float64) time.Duration {
			return times[min(len(times)-1, int(part*float64(len(times))))].Round(10 * time.Microsecond)
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\n", request, len(times), at(0.5), at(0.99), at(1))
	}
	table.Flush()
	fmt.Fprintln(&text)
	for _, what := range slices.Sorted(maps.Keys(r.errors)) {
		fmt.Fprintf(&text, "%d times: %s\n", r.errors[what], what)
	}
	if r.Feed != nil {
		fmt.Fprintf(&text, "The feed is wrong: %v\n", r.Feed)
	} else {
		fmt.Fprintf(&text, "The feed is exact: %d events, each once and in order.\n", r.Events)
	}
	n, err := io.WriteString(w, text.String())
	return int64(n), err
}
