package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// report is what the trial prints and keeps: report.md with pictures next to it.
type report struct {
	dir      string
	file     io.WriteCloser
	pictures int
}

func newReport(dir string) (*report, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.Create(filepath.Join(dir, "report.md"))
	return &report{dir: dir, file: file}, err
}

func (r *report) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Println(time.Now().UTC().Format("15:04:05"), text)
	fmt.Fprintf(r.file, "- %s\n", text)
}

func (r *report) heading(text string) {
	fmt.Println("==", text)
	fmt.Fprintf(r.file, "\n## %s\n\n", text)
}

// block adds what a program has printed.
func (r *report) block(text string) {
	fmt.Println(text)
	fmt.Fprintf(r.file, "\n```\n%s\n```\n\n", text)
}

// picture returns the file of the next picture.
func (r *report) picture(name string) string {
	r.pictures++
	file := fmt.Sprintf("%02d-%s.png", r.pictures, name)
	fmt.Fprintf(r.file, "\n![%s](%s)\n\n", name, file)
	return filepath.Join(r.dir, file)
}
