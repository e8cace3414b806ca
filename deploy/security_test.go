package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// knownRows is a number of rows that the table had. It only grows.
const knownRows = 42

// The table in SECURITY.md names tests that exist.
func TestSecurityNamesTests(t *testing.T) {
	text, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.Contains(cells[3], "Test") {
			continue
		}
		rows++
		folder := ""
		for _, m := range quoted.FindAllStringSubmatch(cells[3], -1) {
			if !strings.HasPrefix(m[1], "Test") {
				folder = filepath.Join("..", m[1])
				continue
			}
			if !declares(t, folder, m[1]) {
				t.Errorf("%s has no test %s", folder, m[1])
			}
		}
	}
	if rows < knownRows {
		t.Errorf("the table has %d rows, want at least %d: has a merge lost some?", rows, knownRows)
	}
}

// declares reports whether a test file of the folder declares the function.
func declares(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "func "+name+"(") {
			return true
		}
	}
	return false
}
