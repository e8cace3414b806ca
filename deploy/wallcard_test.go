package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestWallCard checks that the wall card has one page, of A5.
func TestWallCard(t *testing.T) {
	pdf := filepath.Join(t.TempDir(), "card.pdf")
	if out, err := exec.Command("sh", "wallcard.sh", pdf).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(pdf)
	if err != nil {
		t.Fatal(err)
	}
	if pages := regexp.MustCompile(`/Type\s*/Page\b`).FindAll(text, -1); len(pages) != 1 {
		t.Errorf("the wall card has %d pages", len(pages))
	}
	if !regexp.MustCompile(`/MediaBox\s*\[0 0 (419|420)`).Match(text) {
		t.Error("the page is not A5")
	}
}
