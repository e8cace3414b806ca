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

// The mark keeps the last report for the next run. A mark that cannot be read is no report.
func TestShownMark(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "shown")
	open := func() *shownMark {
		t.Helper()
		m, err := openShownMark(path, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.close() })
		return m
	}
	m := open()
	if got := m.read(); got != (kiosk.RecordShown{}) {
		t.Errorf("a new mark says %+v", got)
	}
	first := kiosk.RecordShown{Visit: "0190b0a0-0000-7000-8000-000000000001", Result: kiosk.NotShown, Reason: kiosk.CardRemoved, At: time.Unix(1, 0).UTC()}
	last := kiosk.RecordShown{Visit: "v2", Result: kiosk.Shown, Screen: kiosk.ScreenGranted, Door: true, At: time.Unix(2, 0).UTC()}
	m.write(first)
	m.write(last)
	if got := open().read(); got != last {
		t.Errorf("the mark says %+v", got)
	}
	m.write(kiosk.RecordShown{Visit: strings.Repeat("v", markSize)})
	if got := open().read(); got != last || !strings.Contains(log.String(), "cannot write the mark") {
		t.Errorf("after a report that is too long the mark says %+v, the log %s", got, log.String())
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := open().read(); got != (kiosk.RecordShown{}) || !strings.Contains(log.String(), "cannot read the mark") {
		t.Errorf("a damaged mark says %+v, the log %s", got, log.String())
	}
}
