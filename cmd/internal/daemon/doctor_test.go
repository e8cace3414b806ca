package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// The doctor's exit status 1 says that a check has failed. Without a report it is an error.
func TestKioskctlDoctor(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	for script, want := range map[string]string{
		`echo "{\"kiosk\":\"$*\"}"`:         `{"kiosk":"doctor --json --config k.toml"}`,
		`echo '{"checks":[]}'; exit 1`:      `{"checks":[]}`,
		`exit 1`:                            "cannot run kioskctl doctor",
		`echo '{}'; exit 2`:                 "cannot run kioskctl doctor",
		`echo wrong >&2; kill -KILL $$ ; :`: "cannot run kioskctl doctor",
	} {
		if err := os.WriteFile(filepath.Join(dir, "kioskctl"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		report, err := KioskctlDoctor("k.toml")(t.Context())
		if got := strings.TrimSpace(string(report)); err == nil && got != want || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v, want %q", script, got, err, want)
		}
	}
}

// The hub gets the report with the question.
func TestAnswer(t *testing.T) {
	var answer string
	hub := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		answer = r.URL.Path + " " + string(body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer hub.Close()
	trusted := hub.Client().Transport.(*http.Transport).TLSClientConfig
	d := &Daemon{log: slog.New(slog.DiscardHandler), client: hubapi.NewClient(hub.URL, trusted)}
	d.doctor = func(context.Context) ([]byte, error) { return []byte(`{"kiosk":"k1"}`), nil }
	if err := d.answer(t.Context(), "q1"); err != nil || answer != `/v1/doctor {"question":"q1","report":{"kiosk":"k1"}}` {
		t.Errorf("the hub got %q, %v", answer, err)
	}
}

// While the hub cannot be reached, the newest question is tried again. One that was answered
// is not.
func TestQuestionsAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ran := 0
		d := &Daemon{log: slog.New(slog.DiscardHandler), questions: make(latest[string], 1), client: hubapi.NewClient("https://127.0.0.1:1", &tls.Config{})}
		d.doctor = func(context.Context) ([]byte, error) { ran++; return nil, errors.New("no kioskctl") }
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { d.answerQuestions(ctx); close(done) }()
		d.questions.set("")
		time.Sleep(time.Hour)
		synctest.Wait()
		if ran != 0 {
			t.Errorf("without a question the doctor ran %d times", ran)
		}
		d.questions.set("q1")
		time.Sleep(10*doctorRetry + time.Second)
		synctest.Wait()
		if ran < 10 || ran > 12 {
			t.Errorf("the doctor ran %d times in ten minutes", ran)
		}
		before := ran
		d.questions.set("") // the question is withdrawn
		time.Sleep(time.Hour)
		synctest.Wait()
		if ran != before {
			t.Errorf("the doctor ran %d times after the question was withdrawn", ran-before)
		}
		stop()
		<-done
	})
}
