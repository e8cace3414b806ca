package daemon

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"smartkiosk/device/tpmkey/swtpm"
)

// TestLocalSecret checks that a secret stays the same while it can be used, that the file
// does not contain it if there is a TPM, and that a file without use is replaced.
func TestLocalSecret(t *testing.T) {
	tpm, other := swtpm.Start(t), swtpm.Start(t)
	folder := t.TempDir()
	path := filepath.Join(folder, holdersSecret)
	read := func(device string) []byte {
		t.Helper()
		secret, err := secretFiles{folder: folder, tpm: device, log: slog.New(slog.DiscardHandler)}.read(holdersSecret)
		if err != nil || len(secret) != secretSize {
			t.Fatalf("got %d bytes, %v", len(secret), err)
		}
		return secret
	}
	var last []byte
	for i, step := range []struct {
		device string
		change func() error
		same   bool
	}{
		{"", nil, false},
		{"", nil, true},
		{"", func() error { return os.WriteFile(path, []byte("short"), 0o600) }, false},
		{tpm.Path, nil, false}, // the file was not sealed
		{tpm.Path, nil, true},
		{other.Path, nil, false}, // sealed by another TPM
		{other.Path, func() error { return os.Remove(path) }, false},
	} {
		if step.change != nil {
			if err := step.change(); err != nil {
				t.Fatal(err)
			}
		}
		secret := read(step.device)
		if bytes.Equal(secret, last) != step.same {
			t.Errorf("step %d: the secret is the same: %v, want %v", i, !step.same, step.same)
		}
		last = secret
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(file, secret) != (step.device == "") {
			t.Errorf("step %d: the secret is in the file, or is not, as it should be without a TPM", i)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file has the mode %v, %v", info.Mode(), err)
		}
	}
	// A TPM that does not answer for the moment is no reason for a new secret.
	other.Stop()
	if _, err := (secretFiles{folder: folder, tpm: other.Path, log: slog.New(slog.DiscardHandler)}).read(holdersSecret); err == nil {
		t.Error("a new secret is made while the TPM is away")
	}
	other.Restart()
	if !bytes.Equal(read(other.Path), last) {
		t.Error("the secret has changed while the TPM was away")
	}
}
