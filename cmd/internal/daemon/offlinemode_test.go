package daemon

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/store"
)

// TestClockInThePast checks a kiosk whose clock is in the past at start. It must use
// the date of its own certificate for TLS to the hub, mark its events as made with an
// untrusted clock, and remember the time that the hub then sends.
func TestClockInThePast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	made := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	now, up := time.Unix(0, 0), time.Duration(0)
	boot := func() (*store.Records, *hubapi.Credentials, journal.Clocks) {
		t.Helper()
		records, err := openRecords(path, made, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		credentials := &hubapi.Credentials{TLS: &tls.Config{
			Certificates: []tls.Certificate{{Leaf: &x509.Certificate{NotBefore: made, NotAfter: made.AddDate(1, 0, 0)}}},
		}}
		return records, credentials, journal.Clocks{
			Now: func() time.Time { return now }, Uptime: func() time.Duration { return up }, Trusted: func() bool { return true },
		}
	}
	records, credentials, clocks := boot()
	c, err := openClock(records, credentials, &clocks)
	if err != nil {
		t.Fatal(err)
	}
	if at := credentials.TLS.Time(); !at.Equal(made) || clocks.Trusted() {
		t.Errorf("for TLS it is %s, and the clock is trusted: %v", at, clocks.Trusted())
	}
	later := made.AddDate(0, 1, 0)
	c.Told(later)
	up += time.Minute
	later = later.Add(time.Minute)
	c.Told(later)
	if err := c.Note(); err != nil {
		t.Fatal(err)
	}
	if err := records.Close(); err != nil {
		t.Fatal(err)
	}

	records, credentials, clocks = boot()
	defer records.Close()
	if _, err = openClock(records, credentials, &clocks); err != nil {
		t.Fatal(err)
	}
	if at := credentials.TLS.Time(); !at.Equal(later) {
		t.Errorf("after a restart it is %s", at)
	}
	now = later.Add(time.Hour)
	if at := credentials.TLS.Time(); !at.Equal(now) || !clocks.Trusted() {
		t.Errorf("once the clock is right it is %s, trusted %v", at, clocks.Trusted())
	}
}
