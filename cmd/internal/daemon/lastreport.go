package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"smartkiosk/kiosk"
)

// lastReport is a file with the last report of what a person saw of an outcome. It is
// written at the moment of the report and never synced, so it costs no wait. It tells a
// kioskd that starts after another one was killed what the outbox does not have yet.
// After a power cut it may be an older report.
type lastReport struct {
	file *os.File
	log  *slog.Logger
}

// lastReportSize is the size of the file, in bytes. One write replaces the whole report.
const lastReportSize = 512

func openLastReport(path string, log *slog.Logger) (*lastReport, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the last report of what was shown: %w", err)
	}
	return &lastReport{file: f, log: log}, nil
}

// read returns the report, or the zero value if the file has none.
func (l *lastReport) read() (report kiosk.RecordShown) {
	b := make([]byte, lastReportSize)
	n, err := l.file.ReadAt(b, 0)
	if n == 0 && errors.Is(err, io.EOF) {
		return kiosk.RecordShown{}
	}
	if err := json.Unmarshal(b[:n], &report); err != nil {
		l.log.Warn("cannot read the last report of what was shown", "err", err)
		return kiosk.RecordShown{}
	}
	return report
}

// write replaces the report. Without it kioskd only knows less after it was killed.
func (l *lastReport) write(report kiosk.RecordShown) {
	text, err := json.Marshal(report)
	if err == nil && len(text) >= lastReportSize {
		err = fmt.Errorf("it has %d bytes", len(text))
	}
	if err == nil {
		_, err = l.file.WriteAt(append(append(text, bytes.Repeat([]byte(" "), lastReportSize-1-len(text))...), '\n'), 0)
	}
	if err != nil {
		l.log.Warn("cannot write the last report of what was shown", "err", err)
	}
}

func (l *lastReport) close() error { return l.file.Close() }
