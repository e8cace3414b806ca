package board

import (
	"path/filepath"
	"testing"
)

// builds returns the files of the boards that the project describes.
func builds(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../deploy/boards/*.toml")
	if err != nil || len(files) != 3 {
		t.Fatalf("%d boards, %v", len(files), err)
	}
	return files
}

func TestBuilds(t *testing.T) {
	for _, file := range builds(t) {
		b, err := Load(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if b.Strike == nil || b.Tamper == nil || b.Watchdog == nil || b.Lamps == nil || b.Sounder() == nil ||
			len(b.Displays) != 1 || len(b.Keypads()) != 1 {
			t.Errorf("%s is not whole", file)
		}
	}
}
