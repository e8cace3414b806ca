package cue

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// door is the far end of a strike's line, where the test sees its levels.
type door struct {
	path   string
	levels *os.File
}

func newDoor(t *testing.T) *door {
	t.Helper()
	path := filepath.Join(t.TempDir(), "strike")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	// Opened for reading and writing, so that a read never returns the end of the
	// file.
	levels, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { levels.Close() })
	return &door{path, levels}
}

// sees waits until the line is driven to these levels.
func (d *door) sees(t *testing.T, want string) {
	t.Helper()
	got := make([]byte, len(want))
	for i := range got {
		if err := d.levels.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := d.levels.Read(got[i : i+1]); err != nil {
			t.Fatalf("after %q: %v, want %q", got[:i], err, want)
		}
	}
	if string(got) != want {
		t.Fatalf("the line went %s, want %s", got, want)
	}
}

// kiosk starts a process that opens the door, and waits until the door is open.
func (d *door) kiosk(t *testing.T, kind, open string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", kind, d.path, open)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if text, err := bufio.NewReader(out).ReadString('\n'); text != "opened <nil>\n" {
		t.Fatalf("kiosk says %q, %v", text, err)
	}
	return cmd
}

func TestStrikeShutsWhenItsKioskIsKilled(t *testing.T) {
	d := newDoor(t)
	kiosk := d.kiosk(t, "guarded", "1h")
	d.sees(t, "01")
	if err := kiosk.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	d.sees(t, "0")
}

func TestStrikeShutsWhenItsProcessGroupIsKilled(t *testing.T) {
	d := newDoor(t)
	kiosk := d.kiosk(t, "guarded", "1h")
	d.sees(t, "01")
	if err := syscall.Kill(-kiosk.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d.sees(t, "0")
}

func TestStrikeShutsWhenItsKioskHangs(t *testing.T) {
	d := newDoor(t)
	kiosk := d.kiosk(t, "guarded", "2s")
	if err := kiosk.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	d.sees(t, "010")
}

// guardianOf returns the only child of a process.
func guardianOf(t *testing.T, kiosk *exec.Cmd) (pid int) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", kiosk.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var children string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		children += string(text)
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(children)); err != nil {
		t.Fatalf("the kiosk has the children %q", children)
	}
	return pid
}

// Kiosk and guardian are both stopped while the door is open. No process is left that could
// shut it, so the service manager must end them: systemd sends its WatchdogSignal to both
// and lets them go on to receive it, and kills what does not end.
func TestBothStopped(t *testing.T) {
	stop := func(pids ...int) {
		t.Helper()
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Run("watchdog signal", func(t *testing.T) {
		d := newDoor(t)
		kiosk := d.kiosk(t, "guarded", "1h")
		d.sees(t, "01")
		guardian := guardianOf(t, kiosk)
		stop(kiosk.Process.Pid, guardian)
		for _, s := range []syscall.Signal{syscall.SIGABRT, syscall.SIGCONT} {
			if err := errors.Join(syscall.Kill(guardian, s), syscall.Kill(kiosk.Process.Pid, s)); err != nil {
				t.Fatal(err)
			}
		}
		d.sees(t, "0")
	})
	t.Run("killed", func(t *testing.T) {
		d := newDoor(t)
		kiosk := d.kiosk(t, "guarded", "1h")
		d.sees(t, "01")
		guardian := guardianOf(t, kiosk)
		stop(kiosk.Process.Pid, guardian)
		if err := errors.Join(syscall.Kill(guardian, syscall.SIGKILL), syscall.Kill(kiosk.Process.Pid, syscall.SIGKILL)); err != nil {
			t.Fatal(err)
		}
		// This line keeps its level. The kiosk that the service manager starts next shuts it.
		d.kiosk(t, "guarded", "1h")
		d.sees(t, "01")
	})
}

// Without a guardian the same kill leaves the line on. This checks that the other
// tests could see a line that stays on.
func TestWithoutGuardian(t *testing.T) {
	d := newDoor(t)
	kiosk := d.kiosk(t, "careless", "1h")
	d.sees(t, "1")
	if err := kiosk.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := kiosk.Wait(); err == nil {
		t.Fatal("the kiosk was not killed")
	}
	if err := d.levels.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, _ := d.levels.Read(make([]byte, 1)); n != 0 {
		t.Error("something shut the line")
	}
}

func (s *Strike) pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.guardian.cmd.Process.Pid
}

// When a guardian is killed, another starts and shuts the line.
func TestStrikeShutsWhenItsGuardianEnds(t *testing.T) {
	d := newDoor(t)
	s, err := OpenStrike(d.path, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	d.sees(t, "0")
	for signal, want := range map[syscall.Signal]string{syscall.SIGKILL: "0", syscall.SIGTERM: "00", syscall.SIGINT: "00", syscall.SIGHUP: "00", syscall.SIGABRT: "00"} {
		if err := s.Open(time.Hour); err != nil {
			t.Fatal(err)
		}
		d.sees(t, "1")
		if err := syscall.Kill(s.pid(), signal); err != nil {
			t.Fatal(err)
		}
		d.sees(t, want)
		if err := <-s.Errors(); !strings.HasPrefix(err.Error(), "the guardian of the door ended") {
			t.Errorf("%v: %v", signal, err)
		}
	}
	if err := s.Open(time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := s.Shut(); err != nil {
		t.Fatal(err)
	}
	d.sees(t, "10")
	if err := s.Open(time.Hour); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.Close()
	d.sees(t, "10")
	if err := s.Open(time.Second); err == nil || err.Error() != "cannot use the door: it has no guardian now" {
		t.Errorf("after Close: %v", err)
	}
}

// hang stops the guardian and returns when it has stopped.
func (s *Strike) hang(t *testing.T) {
	t.Helper()
	pid := s.pid()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
}

// A guardian that does not answer, or does not end, is killed, and another shuts
// the line.
func TestHungGuardian(t *testing.T) {
	d := newDoor(t)
	s, err := OpenStrike(d.path, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Open(time.Hour); err != nil {
		t.Fatal(err)
	}
	d.sees(t, "01")
	s.hang(t)
	if err := s.Shut(); err == nil || !strings.HasPrefix(err.Error(), "cannot use the door: no answer of its guardian") {
		t.Errorf("shutting: %v", err)
	}
	d.sees(t, "0")
	if err := <-s.Errors(); !strings.HasPrefix(err.Error(), "the guardian of the door ended") {
		t.Error(err)
	}
	if err := s.Open(time.Hour); err != nil {
		t.Fatal(err)
	}
	s.hang(t)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	d.sees(t, "10")
}

func TestOpenStrikeErrors(t *testing.T) {
	for _, tt := range []struct {
		pin  string
		max  time.Duration
		want string
	}{
		{"/nowhere/GPIO99", time.Second, "cannot open strike: no such line"},
		{"GPIO4", 0, "cannot open strike: it needs a time to shut after"},
	} {
		if _, err := OpenStrike(tt.pin, tt.max); err == nil || err.Error() != tt.want {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
	d := newDoor(t)
	s, err := OpenStrike(d.path, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Open(0); err == nil || err.Error() != "cannot open the door: for no time" {
		t.Errorf("for no time: %v", err)
	}
}
