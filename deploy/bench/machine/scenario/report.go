//go:build linux

package scenario

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Report is what is written down: a text, and pictures of what displays showed.
type Report struct {
	folder   string
	file     *os.File
	began    time.Time
	pictures int
	err      error
}

// NewReport begins a report in a folder.
func NewReport(folder, name string) (*Report, error) {
	file, err := os.Create(filepath.Join(folder, name+".txt"))
	if err != nil {
		return nil, err
	}
	return &Report{folder: folder, file: file, began: time.Now()}, nil
}

// say tells whoever waits for the report.
func (r *Report) say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// heading begins a part of it.
func (r *Report) heading(format string, args ...any) {
	r.write("\n" + fmt.Sprintf(format, args...) + "\n")
}

// line says what somebody did, saw or read, with the seconds since the
// beginning.
func (r *Report) line(who, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.write(fmt.Sprintf("%7.2f  %-10s  %s\n", time.Since(r.began).Seconds(), who, strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", 21))))
}

func (r *Report) write(text string) {
	_, err := r.file.WriteString(text)
	r.err = errors.Join(r.err, err)
}

// picture keeps a picture, and gives its file's name.
func (r *Report) picture(kiosk string, picture image.Image) string {
	r.pictures++
	name := fmt.Sprintf("%s-%02d.png", kiosk, r.pictures)
	file, err := os.Create(filepath.Join(r.folder, name))
	if err != nil {
		r.err = errors.Join(r.err, err)
		return name
	}
	r.err = errors.Join(r.err, png.Encode(file, picture), file.Close())
	return name
}

// keep keeps a text beside it.
func (r *Report) keep(name, text string) {
	r.err = errors.Join(r.err, os.WriteFile(filepath.Join(r.folder, name), []byte(text), 0o644))
}

// Close ends it. Its error is what could not be written.
func (r *Report) Close() error { return errors.Join(r.err, r.file.Close()) }
