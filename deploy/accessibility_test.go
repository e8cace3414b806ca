package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ACCESSIBILITY.md names tests that exist, each after its folder.
func TestAccessibilityNamesTests(t *testing.T) {
	text, err := os.ReadFile("ACCESSIBILITY.md")
	if err != nil {
		t.Fatal(err)
	}
	folders := regexp.MustCompile("^(kiosk|device|cmd)(/[a-z0-9]+)*$")
	named := 0
	for line := range strings.Lines(string(text)) {
		folder := ""
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line, -1) {
			switch {
			case folders.MatchString(m[1]):
				folder = filepath.Join("..", m[1])
			case strings.HasPrefix(m[1], "Test"):
				if named++; !declares(t, folder, m[1]) {
					t.Errorf("%s has no test %s", folder, m[1])
				}
			}
		}
	}
	if named < 30 {
		t.Errorf("%d tests are named", named)
	}
}
