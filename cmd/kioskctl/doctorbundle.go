//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"smartkiosk/cmd/internal/checkup"
)

// bundleFile is a file of the support bundle.
type bundleFile struct {
	name string
	text []byte
}

// writeBundle writes the support file. It contains no file of the kiosk as it is: settings
// are written without the comments around them, of the log only lines that kioskd itself
// makes, which hold no personal data, and of the events only what their envelopes say.
func (d *doctor) writeBundle(ctx context.Context, path string, report checkup.Report) error {
	files, err := d.bundleFiles(ctx, report)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = writeTar(out, files, report.Time)
	return errors.Join(err, out.Close())
}

func writeTar(out *os.File, files []bundleFile, at time.Time) error {
	packed := gzip.NewWriter(out)
	w := tar.NewWriter(packed)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: "support/" + f.name, Mode: 0o644, Size: int64(len(f.text)), ModTime: at}); err != nil {
			return err
		}
		if _, err := w.Write(f.text); err != nil {
			return err
		}
	}
	return errors.Join(w.Close(), packed.Close())
}

func (d *doctor) bundleFiles(ctx context.Context, report checkup.Report) ([]bundleFile, error) {
	var text bytes.Buffer
	report.Print(&text)
	object, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return nil, err
	}
	files := []bundleFile{{"doctor.txt", text.Bytes()}, {"doctor.json", object}}
	// What cannot be read is a diagnosis of its own: its error takes the file's place.
	for _, part := range []struct {
		name string
		read func(context.Context) ([]byte, error)
	}{
		{"kioskd.toml", d.settingsText}, {"board.toml", d.boardText}, {"parts.json", d.partsText},
		{"events.txt", d.eventsText}, {"log.txt", d.logText},
	} {
		text, err := part.read(ctx)
		if err != nil {
			text = append(text, fmt.Sprintf("cannot read it: %v\n", err)...)
		}
		files = append(files, bundleFile{part.name, text})
	}
	return files, nil
}

// settingsText returns the settings of kioskd.toml. The names of key files are among
// them, their content is not.
func (d *doctor) settingsText(context.Context) ([]byte, error) {
	c, err := d.load()
	if err != nil {
		return nil, err
	}
	return toml.Marshal(c)
}

// boardText returns the settings of the wiring file.
func (d *doctor) boardText(context.Context) ([]byte, error) {
	c, err := d.load()
	if err != nil || c.Panel.Board == "" {
		return nil, err
	}
	text, err := os.ReadFile(c.Panel.Board)
	if err != nil {
		return nil, err
	}
	var settings map[string]any
	if err := toml.Unmarshal(text, &settings); err != nil {
		return nil, err
	}
	return toml.Marshal(settings)
}

func (d *doctor) partsText(ctx context.Context) ([]byte, error) {
	f, err := d.machine.detect(ctx)
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(f, "", "  ")
}

func (d *doctor) eventsText(ctx context.Context) ([]byte, error) {
	path := d.socket()
	if _, err := os.Stat(path); err != nil {
		path = d.stateFile("outbox.db")
	}
	source, err := openSource(path)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = program{stdout: &text}.list(ctx, source)
	return text.Bytes(), err
}

// ownLine matches the log lines of kioskd: those of its logger, and the error with which
// it ends.
var ownLine = regexp.MustCompile(`^(time=\S+ level=\S+ msg=|kioskd: cannot )`)

func (d *doctor) logText(ctx context.Context) ([]byte, error) {
	log, err := d.journal(ctx)
	var own bytes.Buffer
	others := 0
	for line := range strings.Lines(string(log)) {
		if ownLine.MatchString(line) {
			own.WriteString(line)
		} else {
			others++
		}
	}
	fmt.Fprintf(&own, "%d lines that kioskd's logger did not write are left out\n", others)
	return own.Bytes(), err
}
