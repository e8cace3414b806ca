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

// Report is a text of what happened, with pictures of the displays.
type Report struct {
	folder   string
	file     *os.File
	began    time.Time
	pictures int
	err      error // of every write that failed
}

// NewReport creates the report NAME.txt in a folder.
func NewReport(folder, name string) (*Report, error) {
	file, err := os.Create(filepath.Join(folder, name+".txt"))
	if err != nil {
		return nil, err
	}
	return &Report{folder: folder, file: file, began: time.Now()}, nil
}

// announce prints a line for the person who runs the bench.
func (r *Report) announce(format string, args ...any) { fmt.Printf(format+"\n", args...) }

func (r *Report) heading(format string, args ...any) {
	r.write("\n" + fmt.Sprintf(format, args...) + "\n")
}

// line writes what somebody did, saw or read, after the seconds since the
// machine's programs were started.
func (r *Report) line(who, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.write(fmt.Sprintf("%7.2f  %-10s  %s\n", time.Since(r.began).Seconds(), who, strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", 21))))
}

func (r *Report) write(text string) {
	_, err := r.file.WriteString(text)
	r.err = errors.Join(r.err, err)
}

// savePicture writes a picture into the folder and returns the name of its file.
func (r *Report) savePicture(kiosk string, picture image.Image) string {
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

// saveText writes a text into the folder.
func (r *Report) saveText(name, text string) {
	r.err = errors.Join(r.err, os.WriteFile(filepath.Join(r.folder, name), []byte(text), 0o644))
}

// Close closes the report. It returns the errors of all writes.
func (r *Report) Close() error { return errors.Join(r.err, r.file.Close()) }
