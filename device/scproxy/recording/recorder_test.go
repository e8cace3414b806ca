package recording

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/script"
)

var (
	atr    = []byte{0x3B, 0x00}
	selMF  = apdu.Command{INS: insSelect, Data: []byte{0x3F, 0x00}}
	ok     = apdu.Response{SW: apdu.OK}
	silent = slog.New(slog.DiscardHandler)
)

func say(r *Recorder, atr []byte) {
	s := r.Begin(atr)
	s.Add(selMF, ok, true)
	s.Add(selMF, apdu.Response{}, false)
	s.End()
}

func recorded(t *testing.T, path string) script.Script {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := script.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRecorder: a recorder is off until it is started, stops after an hour, and writes
// the sessions of one kind of card.
func TestRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "login.txt")
		r := New(path, silent)
		ctx, stop := context.WithCancel(t.Context())
		changes := r.Watch(ctx)
		expect := func(want bool) {
			t.Helper()
			if on := <-changes; on != want || r.State().On != want {
				t.Fatalf("on: %v, %+v", on, r.State())
			}
		}
		expect(false)
		say(r, atr)
		r.Stop()
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("off, but there is a file: %v", err)
		}

		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		expect(true)
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if err := r.Start(); !errors.Is(err, ErrOn) {
			t.Errorf("started twice: %v", err)
		}
		say(r, atr)
		say(r, []byte{0x3B, 0x01, 0x02})
		open := r.Begin(atr)
		open.Add(selMF, ok, true)
		time.Sleep(Limit - time.Second)
		if !r.State().On || time.Until(r.State().Until) != time.Second {
			t.Errorf("%+v", r.State())
		}
		time.Sleep(time.Second)
		synctest.Wait()
		expect(false)
		open.Add(selMF, ok, true)
		open.End()
		say(r, atr)
		s := recorded(t, path)
		if !bytes.Equal(s.ATR, atr) || len(s.Steps) != 3 || s.Steps[0].Reset || !s.Steps[2].Reset || s.Steps[1].Response != nil {
			t.Errorf("%+v", s)
		}

		// A new recording replaces the file, also one that others may read.
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		expect(true)
		time.Sleep(Limit / 2)
		r.Stop()
		expect(false)
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 || len(recorded(t, path).Steps) != 0 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		expect(true)
		time.Sleep(Limit / 2) // when the recording before it would have ended
		synctest.Wait()
		if !r.State().On {
			t.Error("the timer of the recording before ended this one")
		}
		r.Stop()
		expect(false)
		stop()
		if _, open := <-changes; open {
			t.Error("a change after the end")
		}
	})
}

// TestRecorderFails: a file that cannot be made is an error, and one that cannot be
// written any more ends the recording.
func TestRecorderFails(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "folder")
	r := New(filepath.Join(folder, "login.txt"), silent)
	if err := r.Start(); err == nil || !strings.HasPrefix(err.Error(), "cannot start recording: open ") || r.State().On {
		t.Errorf("%v", err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	say(r, atr)
	if r.State().On {
		t.Error("the recording continues without a file")
	}
	r.Stop()

	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	r.written = MaxFile
	say(r, atr)
	if r.State().On {
		t.Error("the file is longer than its limit")
	}
}

// TestLongSession: what a session says beyond its limits is not recorded.
func TestLongSession(t *testing.T) {
	path := filepath.Join(t.TempDir(), "login.txt")
	r := New(path, silent)
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	s := r.Begin(atr)
	for range maxSteps + 1 {
		s.Add(selMF, ok, true)
	}
	s.End()
	r.Stop()
	steps := recorded(t, path).Steps
	if len(steps) != maxSteps || !strings.HasSuffix(steps[len(steps)-1].Comment, "too long") {
		t.Errorf("%d steps", len(steps))
	}
	none := (*Recorder)(nil).Begin(atr)
	none.Add(selMF, ok, true)
	none.End()
}
