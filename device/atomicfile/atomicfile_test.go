package atomicfile_test

import (
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"smartkiosk/device/atomicfile"
)

// has fails unless a folder holds exactly one file, with this content and mode.
func has(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != text {
		t.Errorf("the file has %q, %v, not %q", got, err, text)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
		t.Errorf("the file has the mode %v, %v, not %v", info.Mode(), err, mode)
	}
	if all, err := os.ReadDir(filepath.Dir(path)); err != nil || len(all) != 1 {
		t.Errorf("the folder has %v, %v", all, err)
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, c := range []struct {
		text string
		mode fs.FileMode
	}{{"old and long", 0o600}, {"new", 0o600}, {"", 0o644}, {"again", 0o600}} {
		// An interrupted attempt left a file that others may read.
		if err := os.WriteFile(path+".new", []byte("half of a secret"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := atomicfile.Replace(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		has(t, path, c.text, c.mode)
	}
}

// Somebody who may write to the folder cannot make Replace write to a file elsewhere.
func TestReplaceFollowsNoLink(t *testing.T) {
	path, elsewhere := filepath.Join(t.TempDir(), "file"), filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Symlink(elsewhere, path+".new"); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Replace(path, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	has(t, path, "secret", 0o600)
	if _, err := os.Stat(elsewhere); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the other file: %v", err)
	}
}

// A disk that is full leaves the old file, and nothing else.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := atomicfile.Replace(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	err := atomicfile.Replace(path, []byte("longer than four bytes"), 0o600)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("written to a full disk: %v", err)
	}
	has(t, path, "old", 0o600)
}

func TestCannotReplace(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"no folder":         func(path string) error { return os.Remove(filepath.Dir(path)) },
		"folder in the way": func(path string) error { return os.Mkdir(path, 0o700) },
		"leftover in use":   func(path string) error { return os.MkdirAll(path+".new/full", 0o700) },
		"folder is a file": func(path string) error {
			dir := filepath.Dir(path)
			return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600))
		},
	} {
		dir := filepath.Join(t.TempDir(), "folder")
		path := filepath.Join(dir, "file")
		if err := errors.Join(os.Mkdir(dir, 0o700), spoil(path)); err != nil {
			t.Fatal(err)
		}
		if err := atomicfile.Replace(path, []byte("text"), 0o600); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestRename(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := atomicfile.Rename(from, to); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("renamed a missing file: %v", err)
	}
	if err := errors.Join(os.WriteFile(from, []byte("text"), 0o600), atomicfile.Rename(from, to)); err != nil {
		t.Fatal(err)
	}
	has(t, to, "text", 0o600)
	if err := atomicfile.SyncFolder(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("synced a missing folder: %v", err)
	}
}
