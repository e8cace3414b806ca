package daemon

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk/clock"
)

// TestClockOnSocket checks that a technician can see what the kiosk knows about the
// time, and can replace it.
func TestClockOnSocket(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	records, err := openRecords(filepath.Join(t.TempDir(), "records.db"), noon, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	c, err := clock.Open(func() time.Time { return noon }, func() time.Duration { return 0 }, records, clock.Validity{})
	if err != nil {
		t.Fatal(err)
	}
	c.Told(noon.Add(30 * time.Minute)) // later than the machine's clock
	handler := serveClock(http.NotFoundHandler(), c, slog.New(slog.DiscardHandler))
	request := func(method, body string) (int, clock.State) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(method, "/v1/clock", strings.NewReader(body)))
		var s clock.State
		_ = json.Unmarshal(w.Body.Bytes(), &s)
		return w.Code, s
	}
	if status, s := request("GET", ""); status != 200 || !s.Behind || !s.Hub.Equal(noon.Add(30*time.Minute)) || !s.Now.Equal(noon) {
		t.Errorf("%d %+v", status, s)
	}
	for _, bad := range []string{"", "{}", `{"time":"yesterday"}`} {
		if status, _ := request("PUT", bad); status != 400 {
			t.Errorf("%q: status %d", bad, status)
		}
	}
	if status, _ := request("PUT", `{"time":"2026-11-22T12:00:00Z"}`); status != 204 {
		t.Errorf("status %d", status)
	}
	if status, s := request("GET", ""); status != 200 || s.Behind || !s.Remembered.Equal(noon) {
		t.Errorf("after it was set: %d %+v", status, s)
	}
}
