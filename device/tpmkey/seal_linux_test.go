package tpmkey

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"smartkiosk/device/tpmkey/swtpm"
)

// TestSeal: a sealed secret comes back from its own TPM, also after a restart, and from no
// other one. Nothing stays behind in the TPM.
func TestSeal(t *testing.T) {
	tpm, other := swtpm.Start(t), swtpm.Start(t)
	for _, size := range []int{1, 32, maxSealed} {
		secret := bytes.Repeat([]byte{0xa5}, size)
		file, err := Seal(secret, tpm.Path)
		if err != nil {
			t.Fatal(err)
		}
		if f, err := parseFile(file); err != nil || size > 1 && (bytes.Contains(f.public, secret) || bytes.Contains(f.private, secret)) {
			t.Errorf("the file contains the secret, or cannot be read: %v", err)
		}
		tpm.Restart()
		if got, err := Unseal(file, tpm.Path); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%d bytes: got %x, %v", size, got, err)
		}
		if _, err := Unseal(file, other.Path); !errors.Is(err, ErrForeign) {
			t.Errorf("another TPM: %v", err)
		}
		if _, err := Open(file, tpm.Path); err == nil || !strings.Contains(err.Error(), "the file holds sealed data, not a key") {
			t.Errorf("opened as a key: %v", err)
		}
	}
	do(t, tpm, func(c conn) error {
		left, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: uint32(tpm2.TPMHTTransient) << 24, PropertyCount: 9}.Execute(c)
		if err != nil {
			return err
		}
		if handles, err := left.CapabilityData.Data.Handles(); err != nil || len(handles.Handle) != 0 {
			t.Errorf("left in the TPM: %v, %v", handles, err)
		}
		return nil
	})
}

// TestSealRefuses has the error of each bad input.
func TestSealRefuses(t *testing.T) {
	tpm := swtpm.Start(t)
	for _, size := range []int{0, maxSealed + 1} {
		if _, err := Seal(make([]byte, size), tpm.Path); err == nil || !strings.Contains(err.Error(), "a TPM seals 1 to 128") {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	for _, c := range []struct {
		file []byte
		want string
	}{
		{nil, `cannot read sealed file: the file is not PEM of type "TSS2 PRIVATE KEY"`},
		{create(t, tpm.Path), "cannot read sealed file: the file holds a key, not sealed data"},
	} {
		if _, err := Unseal(c.file, tpm.Path); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if _, err := Unseal(create(t, tpm.Path), "/nowhere"); err == nil {
		t.Error("a key was unsealed")
	}
}
