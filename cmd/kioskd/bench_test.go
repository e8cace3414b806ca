package main

import (
	"bufio"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"smartkiosk/cmd/internal/demo"
	"smartkiosk/device/slot"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/screen"
)

// benchPanel passes each screen to the benchmark.
type benchPanel struct {
	screens chan kiosk.ScreenID
	keys    chan rune
}

func (p *benchPanel) Show(s kiosk.Screen) { p.screens <- s.ID }
func (p *benchPanel) Sound(kiosk.Cue)     {}
func (p *benchPanel) OpenDoor()           {}
func (p *benchPanel) Keys() <-chan rune   { return p.keys }

func (p *benchPanel) await(id kiosk.ScreenID) {
	for <-p.screens != id {
	}
}

// signTimer measures how long the card takes for its signatures (PSO: COMPUTE
// DIGITAL SIGNATURE, ISO 7816-8 §11.5).
type signTimer struct {
	*demo.SoftwareSlot
	signing atomic.Int64
}

func (s *signTimer) Connect(ctx context.Context) (slot.Conn, error) {
	conn, err := s.SoftwareSlot.Connect(ctx)
	return signTimerConn{conn, &s.signing}, err
}

type signTimerConn struct {
	slot.Conn
	signing *atomic.Int64
}

func (c signTimerConn) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	began := time.Now()
	response, err := c.Conn.Transmit(ctx, command)
	if len(command) > 2 && command[1] == 0x2A && command[2] == 0x9E {
		c.signing.Add(int64(time.Since(began)))
	}
	return response, err
}

// BenchmarkVerdict measures the time from the # after the PIN to the verdict on the
// panel: VERIFY, signature, hub, record, screen. It also reports how much of it the
// card took to sign.
func BenchmarkVerdict(b *testing.B) {
	texts, err := screen.Load()
	if err != nil {
		b.Fatal(err)
	}
	p := &benchPanel{screens: make(chan kiosk.ScreenID, 64), keys: make(chan rune)}
	var timer *signTimer
	newSlot := func(cards string) (demo.Slot, error) {
		deck, err := demo.LoadDeck(cards)
		timer = &signTimer{SoftwareSlot: demo.NewSoftwareSlot(deck)}
		return timer, err
	}
	quiet := slog.New(slog.DiscardHandler)
	d, err := demo.Open(b.Context(), b.TempDir()+"/demo", demo.Loopback, newSlot, p, texts, quiet)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx, "bench") }()
	var verdict time.Duration
	n := 0
	for ; b.Loop(); n++ {
		if err := d.Insert("valid"); err != nil {
			b.Fatal(err)
		}
		p.await(kiosk.ScreenPIN)
		for _, key := range "1234" {
			p.keys <- key
		}
		began := time.Now()
		p.keys <- '#'
		p.await(kiosk.ScreenGranted)
		verdict += time.Since(began)
		d.Remove()
		p.await(kiosk.ScreenWelcome)
	}
	b.ReportMetric(float64(verdict.Nanoseconds())/float64(n), "verdict-ns")
	b.ReportMetric(float64(timer.signing.Load())/float64(n), "sign-ns")
	stop()
	if err := <-ended; err != nil {
		b.Error(err)
	}
	if err := d.Close(); err != nil {
		b.Error(err)
	}
}

// BenchmarkStart measures the time from the start of kioskd run until it serves, and
// its memory then.
func BenchmarkStart(b *testing.B) {
	s := newSite(b)
	s.startHub()
	var resident float64
	n := 0
	for ; b.Loop(); n++ {
		k := spawn(b, "kioskd", "run", "--config", s.config)
		k.await("msg=ready")
		b.StopTimer()
		resident += residentBytes(b, k.cmd.Process.Pid)
		k.signal(syscall.SIGTERM)
		b.StartTimer()
	}
	b.ReportMetric(resident/float64(n), "resident-B")
	b.ReportMetric(strippedBytes(b), "stripped-arm64-B")
}

// strippedBytes returns the size of kioskd for a Raspberry Pi (arm64) without symbols,
// as it is installed.
func strippedBytes(b *testing.B) float64 {
	path := filepath.Join(b.TempDir(), "kioskd")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
	if runtime.GOARCH != "arm64" {
		build.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=1", "CC=aarch64-linux-gnu-gcc",
			"PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig")
	}
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return float64(info.Size())
}

// residentBytes returns the resident memory of a process (proc(5), VmRSS).
func residentBytes(b *testing.B, pid int) float64 {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) == 3 && words[0] == "VmRSS:" {
			kib, err := strconv.Atoi(words[1])
			if err != nil {
				b.Fatal(err)
			}
			return float64(kib) * 1024
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
