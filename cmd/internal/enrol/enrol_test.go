package enrol

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The archive of the hub cannot write outside the folder.
func TestUnpackStaysInItsFolder(t *testing.T) {
	for _, name := range []string{"../outside", "/outside", "trust/../../outside"} {
		folder := filepath.Join(t.TempDir(), "kiosk")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := unpack(archiveOf(t, name), folder); err == nil || !strings.Contains(err.Error(), "escapes") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(folder, "..", "outside")); !os.IsNotExist(err) {
			t.Errorf("%s was written: %v", name, err)
		}
	}
	if _, err := unpack(archiveOf(t, "hub-ca.pem"), t.TempDir()); err == nil || !strings.Contains(err.Error(), "no kioskd.toml") {
		t.Errorf("without kioskd.toml: %v", err)
	}
}

func archiveOf(t *testing.T, name string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzUnpack checks that no archive makes unpack panic.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte("kioskd.toml"))
	f.Fuzz(func(t *testing.T, files []byte) {
		_, _ = unpack(files, t.TempDir())
	})
}
