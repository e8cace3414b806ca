// Draw writes, next to each board file of a folder, the description of its
// wiring: name.md and name.svg.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"smartkiosk/device/board"
	"smartkiosk/device/board/wiring"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: draw FOLDER")
		os.Exit(1)
	}
	if err := draw(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "draw:", err)
		os.Exit(1)
	}
}

func draw(folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.toml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("cannot find any board in %s: %w", folder, err)
	}
	for _, file := range files {
		b, err := board.Load(file)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(file, ".toml")
		if err := os.WriteFile(name+".md", wiring.Markdown(b, filepath.Base(name)), 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(name+".svg", wiring.SVG(b), 0o644); err != nil {
			return err
		}
	}
	return nil
}
