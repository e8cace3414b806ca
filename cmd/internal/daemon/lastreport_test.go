package daemon

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk"
)

// The file keeps the last report for the next run. A file that cannot be read has none.
func TestLastReport(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "shown")
	open := func() *lastReport {
		t.Helper()
		m, err := openLastReport(path, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.close() })
		return m
	}
	m := open()
	if got := m.read(); got != (kiosk.RecordShown{}) {
		t.Errorf("a new file says %+v", got)
	}
	first := kiosk.RecordShown{Visit: "0190b0a0-0000-7000-8000-000000000001", Result: kiosk.NotShown, Reason: kiosk.CardRemoved, At: time.Unix(1, 0).UTC()}
	last := kiosk.RecordShown{Visit: "v2", Result: kiosk.Shown, Screen: kiosk.ScreenGranted, Door: true, At: time.Unix(2, 0).UTC()}
	m.write(first)
	m.write(last)
	if got := open().read(); got != last {
		t.Errorf("the file says %+v", got)
	}
	m.write(kiosk.RecordShown{Visit: strings.Repeat("v", lastReportSize)})
	if got := open().read(); got != last || !strings.Contains(log.String(), "cannot write the last report") {
		t.Errorf("after a report that is too long the file says %+v, the log %s", got, log.String())
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := open().read(); got != (kiosk.RecordShown{}) || !strings.Contains(log.String(), "cannot read the last report") {
		t.Errorf("a damaged file says %+v, the log %s", got, log.String())
	}
}
