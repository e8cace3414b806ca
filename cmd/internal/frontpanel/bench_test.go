package frontpanel_test

import (
	"log/slog"
	"syscall"
	"testing"
	"time"

	"smartkiosk/cmd/internal/frontpanel"
	"smartkiosk/device/board"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/screen"
)

// BenchmarkIdle measures the processor time of an idle panel with all parts except the
// door, whose process has nothing to do.
func BenchmarkIdle(b *testing.B) {
	newMachine(b)
	parts, err := board.Load(boardFile)
	if err != nil {
		b.Fatal(err)
	}
	parts.Strike = nil
	texts, err := screen.Load()
	if err != nil {
		b.Fatal(err)
	}
	p := frontpanel.Open(parts, texts, nil, slog.New(slog.DiscardHandler))
	defer p.Close()
	p.Show(kiosk.Screen{ID: kiosk.ScreenWelcome, Language: "nb"})
	for range p.Parts() {
		<-p.States() // until the part works
	}
	const idle = 10 * time.Second // the display is checked twice
	var used, took time.Duration
	for b.Loop() {
		began, before := time.Now(), processorTime(b)
		<-time.After(idle)
		used += processorTime(b) - before
		took += time.Since(began)
	}
	b.ReportMetric(100*used.Seconds()/took.Seconds(), "percent-of-core")
}

// processorTime returns the processor time that this process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
