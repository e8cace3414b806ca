// Package firststart makes a machine a kiosk by two files on its boot partition: kiosk.toml
// says where its hub is and what is wired to it, and code.txt has the one-time code with
// which it enrols. The panel shows what the kiosk does and what it lacks.
//
// Every step can be repeated: after a power cut the next start goes on.
package firststart

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"smartkiosk/cmd/internal/bootfiles"
	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/enrol"
	"smartkiosk/cmd/internal/network"
	"smartkiosk/device/atomicfile"
	"smartkiosk/device/board"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/est"
)

const (
	pause   = 5 * time.Second  // between two attempts
	shown   = 20 * time.Second // how long a kiosk that can serve shows what is wrong with a file
	attempt = 20 * time.Second // for one attempt to enrol; shorter than the service manager's watchdog
)

// Start is the first start of a kiosk, or a later one.
type Start struct {
	Boot string // folder of the boot partition
	Dir  string // folder of kioskd.toml
	TPM  string // see enrol.Request

	Interfaces func() ([]network.Interface, error)
	Readers    func() ([]string, error) // the card readers
	Show       func(kiosk.Screen)
	Sleep      func(ctx context.Context, d time.Duration) error
	Alive      func() // is called at least every 25 s
	Log        *slog.Logger
}

// Panel returns the panel on which the start can show itself: the last one that was
// configured, that of kiosk.toml, or a page for this machine's own browser.
func Panel(boot, dir string) config.Panel {
	if c, err := config.Load(configFile(dir)); err == nil {
		return c.Panel
	}
	page := config.Panel{Listen: "127.0.0.1:8080"}
	for _, folder := range []string{boot, dir} {
		s, err := bootfiles.ReadSettings(folder)
		if err != nil || s.Board == "" {
			continue
		}
		file := config.BoardFile(folder, s.Board)
		if _, err := board.Load(file); err == nil {
			return config.Panel{Board: file, Listen: page.Listen}
		}
	}
	return page
}

func configFile(dir string) string { return filepath.Join(dir, "kioskd.toml") }

// Sleep waits for d or until ctx ends.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run returns when kioskd can serve: the kiosk is enrolled, and its settings are good. A
// kiosk that was enrolled before shows a fault for a while, and then serves as it did
// before.
func (s Start) Run(ctx context.Context) error {
	settings, err := s.settings(ctx)
	if err != nil {
		return err
	}
	if err := s.enrol(ctx, settings); err != nil {
		return err
	}
	return s.reader(ctx, settings)
}

// enrolled reports whether the kiosk has enrolled before.
func (s Start) enrolled() bool {
	_, err := os.Stat(configFile(s.Dir))
	return err == nil
}

// show shows a fault, logs it, and waits.
func (s Start) show(ctx context.Context, language string, what kiosk.Setup, detail string, err error, wait time.Duration) error {
	s.Log.Warn("the kiosk cannot be set up", "reason", what, "err", err)
	return s.wait(ctx, kiosk.Screen{ID: kiosk.ScreenSetup, Language: language, Setup: what, Detail: detail}, wait)
}

func (s Start) wait(ctx context.Context, screen kiosk.Screen, wait time.Duration) error {
	for ; wait > 0; wait -= pause {
		s.Show(screen)
		s.Alive()
		if err := s.Sleep(ctx, min(wait, pause)); err != nil {
			return err
		}
	}
	return nil
}

// settings returns the settings of the boot partition and keeps a copy next to
// kioskd.toml. If they are missing or wrong, it returns the copy. Without a
// copy it waits for good ones.
func (s Start) settings(ctx context.Context) (bootfiles.Settings, error) {
	for {
		settings, err := bootfiles.ReadSettings(s.Boot)
		if err == nil {
			err = s.keep(settings)
		}
		if err == nil {
			return settings, nil
		}
		last, noCopy := bootfiles.ReadSettings(s.Dir)
		missing := errors.Is(err, fs.ErrNotExist)
		if missing && (noCopy == nil || s.enrolled()) {
			return last, nil // nothing is wrong: the partition may be empty after the first start
		}
		what, detail, wait := kiosk.SetupSettings, mistake(err), pause
		if missing {
			what, detail = kiosk.SetupFiles, bootfiles.SettingsFile
		}
		if noCopy == nil || s.enrolled() {
			wait = shown
		}
		if err := s.show(ctx, last.Language, what, detail, err, wait); err != nil {
			return bootfiles.Settings{}, err
		}
		if wait == shown {
			return last, nil
		}
	}
}

// keep copies good settings, and the wiring file that they name, next to kioskd.toml. The
// settings come last.
func (s Start) keep(settings bootfiles.Settings) error {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	if settings.Board != "" {
		if err := s.keepBoard(settings.Board); err != nil {
			// Not wrapped: a missing wiring file is a mistake in kiosk.toml, which is there.
			return fmt.Errorf("board %q cannot be used: %v", settings.Board, err)
		}
	}
	text, err := settings.Text()
	if err != nil {
		return err
	}
	return replaceIfNew(filepath.Join(s.Dir, bootfiles.SettingsFile), text)
}

func (s Start) keepBoard(name string) error {
	own := filepath.Join(s.Boot, name)
	if _, err := os.Stat(own); err != nil {
		_, err := board.Load(config.BoardFile(s.Dir, name))
		return err
	}
	if _, err := board.Load(own); err != nil {
		return err
	}
	text, err := os.ReadFile(own)
	if err != nil {
		return err
	}
	return replaceIfNew(filepath.Join(s.Dir, name), text)
}

// replaceIfNew spares the SD card a write at every start.
func replaceIfNew(path string, text []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return atomicfile.Replace(path, text, 0o600)
}

// enrol enrols the kiosk with the code on the boot partition, and deletes the code. A kiosk
// that has enrolled before tries once: the code gives it a new certificate.
func (s Start) enrol(ctx context.Context, settings bootfiles.Settings) error {
	// Of a code that the hub has refused. Five attempts would lock it.
	var refused [sha256.Size]byte
	isRefused := false
	for {
		code, err := bootfiles.ReadCode(s.Boot)
		if errors.Is(err, fs.ErrNotExist) && s.enrolled() {
			return nil
		}
		if errors.Is(err, bootfiles.ErrNoCode) && s.enrolled() {
			return s.forget() // its deletion was interrupted
		}
		what, detail := kiosk.SetupCode, ""
		switch {
		case errors.Is(err, fs.ErrNotExist):
			what, detail = kiosk.SetupFiles, bootfiles.CodeFile
		case err != nil:
		case isRefused && digest(code) == refused:
			err = errRefused
		default:
			if err = s.tryCode(ctx, settings, code); err == nil {
				code.Secret.Wipe()
				return s.forget()
			}
			what, detail = s.cause(settings.Hub, err)
			_, other := errors.AsType[*enrol.OtherKioskError](err)
			// A hub that has just started, or that has not heard of the code yet, refuses the
			// connection and counts no attempt. The next attempt may succeed.
			early := errors.Is(err, est.ErrClosed) && !s.enrolled()
			if what == kiosk.SetupCode && !other && !early {
				refused, isRefused = digest(code), true
			}
		}
		code.Secret.Wipe()
		wait := pause
		if s.enrolled() {
			wait = shown
		}
		if err := s.show(ctx, settings.Language, what, detail, err, wait); err != nil {
			return err
		}
		if s.enrolled() {
			if isRefused {
				return s.forget() // it would be refused at every start
			}
			return nil
		}
	}
}

func digest(c est.Code) [sha256.Size]byte { return sha256.Sum256([]byte(c.Text())) }

var errRefused = errors.New("the hub has refused this code: write another one to the boot partition")

// forget deletes the code. The kiosk serves even if that fails, because the code is of no
// use any more.
func (s Start) forget() error {
	if err := bootfiles.DeleteCode(s.Boot); err != nil {
		s.Log.Error("cannot delete the code", "err", err)
	}
	return nil
}

func (s Start) tryCode(ctx context.Context, settings bootfiles.Settings, code est.Code) error {
	s.Show(kiosk.Screen{ID: kiosk.ScreenSetup, Language: settings.Language})
	s.Alive()
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	r, err := enrol.Do(ctx, enrol.Request{Hub: settings.Hub, Code: code, Dir: s.Dir, TPM: s.TPM})
	s.Alive()
	if err != nil {
		return err
	}
	s.Log.Info("enrolled", "kiosk", code.Kiosk, "until", r.Certificate.NotAfter.UTC().Format(time.DateOnly))
	return nil
}

// reader shows for a while that there is no card reader. kioskd serves as soon as there is
// one.
func (s Start) reader(ctx context.Context, settings bootfiles.Settings) error {
	for range int(shown / pause) {
		names, err := s.Readers()
		if err == nil && len(names) > 0 {
			return nil
		}
		if err := s.show(ctx, settings.Language, kiosk.SetupReader, "", err, pause); err != nil {
			return err
		}
	}
	return nil
}
