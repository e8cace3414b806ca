// Package hub tests the files with which operators watch hubs.
package hub

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// judge runs Prometheus' own tool.
func judge(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestAlerts(t *testing.T) {
	judge(t, "check", "rules", "--lint-fatal", "smartkiosk-alerts.yml")
	judge(t, "test", "rules", "smartkiosk-alerts-test.yml")
	judge(t, "check", "config", "--syntax-only", "prometheus.yml")
	rules, err := os.ReadFile("smartkiosk-alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("smartkiosk-alerts-test.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		if !strings.Contains(string(tests), "alertname: "+name[1]+"\n") {
			t.Errorf("no test for the alert %s", name[1])
		}
	}
	knownMetrics(t, string(rules))
}

var metric = regexp.MustCompile(`smartkiosk_hub_\w+`)

// knownMetrics checks that a hub has each metric that a text names.
func knownMetrics(t *testing.T, text string) {
	t.Helper()
	files, err := filepath.Glob("../../kiosk/hub/*metrics.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no metrics: %v", err)
	}
	known := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range metric.FindAllString(string(source), -1) {
			known[name] = true
		}
	}
	for _, name := range metric.FindAllString(text, -1) {
		if !known[name] && !known[strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count")] {
			t.Errorf("no hub has the metric %s", name)
		}
	}
}

// TestDashboard checks that Prometheus can read each query, that a hub has each metric, and
// that no two panels are in the same place.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	knownMetrics(t, string(text))
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	queries, ids, cells := 0, map[int]bool{}, map[[2]int]string{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the ID %d", p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%q lies over %q, or outside", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		if len(p.Targets) == 0 {
			t.Errorf("%q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			expr := strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
			fmt.Fprintf(&rules, "      - record: dashboard:%d\n        expr: %q\n", queries, expr)
			queries++
		}
	}
	if queries < 10 {
		t.Errorf("the dashboard has %d queries", queries)
	}
	path := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(path, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	judge(t, "check", "rules", path)
}
