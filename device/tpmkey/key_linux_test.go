package tpmkey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"smartkiosk/device/tpmkey/swtpm"
)

func open(t testing.TB, file []byte, device string) *Key {
	t.Helper()
	k, err := Open(file, device)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

func create(t testing.TB, device string) []byte {
	t.Helper()
	file, err := Create(device)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// signs has the key sign something and verifies the signature.
func signs(k *Key, what string) error {
	digest := sha256.Sum256([]byte(what))
	signature, err := k.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err == nil && !ecdsa.VerifyASN1(k.Public().(*ecdsa.PublicKey), digest[:], signature) {
		err = errors.New("the signature is wrong")
	}
	return err
}

// TestSign: a created key signs, also concurrently and after the TPM was switched off
// and on.
func TestSign(t *testing.T) {
	tpm := swtpm.Start(t)
	k := open(t, create(t, tpm.Path), tpm.Path)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 4 {
				if err := signs(k, fmt.Sprint(i, j)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	tpm.Restart()
	if err := signs(k, "after a restart"); err != nil {
		t.Error(err)
	}
	for range 2 { // nothing stays behind in the TPM
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	}
	do(t, tpm, func(c conn) error {
		left, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: uint32(tpm2.TPMHTTransient) << 24, PropertyCount: 9}.Execute(c)
		if err != nil {
			return err
		}
		handles, err := left.CapabilityData.Data.Handles()
		if err == nil && len(handles.Handle) != 0 {
			err = fmt.Errorf("left in the TPM: %v", handles.Handle)
		}
		return err
	})
	if err := signs(k, "after Close"); err != nil {
		t.Error(err)
	}
}

// TestLost: signing fails with a clear error while the TPM is unavailable, and works
// again afterwards.
func TestLost(t *testing.T) {
	tpm := swtpm.Start(t)
	k := open(t, create(t, tpm.Path), tpm.Path)
	tpm.Stop()
	for range 2 {
		want := fmt.Sprintf("cannot sign with the TPM at %s: the device does not exist: is the TPM enabled in firmware or device tree?", tpm.Path)
		if err := signs(k, "x"); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	tpm.Restart()
	if err := signs(k, "x"); err != nil {
		t.Error(err)
	}
}

// TestForeign: a key file works neither with another TPM nor after its TPM was
// cleared.
func TestForeign(t *testing.T) {
	tpm, other := swtpm.Start(t), swtpm.Start(t)
	file := create(t, tpm.Path)
	if _, err := Open(file, other.Path); !errors.Is(err, ErrForeign) {
		t.Errorf("another TPM: %v", err)
	}
	k := open(t, file, tpm.Path)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	do(t, tpm, func(c conn) error {
		_, err := tpm2.Clear{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHLockout, Auth: tpm2.PasswordAuth(nil)}}.Execute(c)
		return err
	})
	if err := signs(k, "x"); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "create a new key") {
		t.Errorf("a TPM that was cleared: %v", err)
	}
	open(t, create(t, tpm.Path), tpm.Path)
}

// do sends another program's command to the TPM. The software TPM serves one
// connection at a time.
func do(t *testing.T, tpm *swtpm.TPM, command func(conn) error) {
	t.Helper()
	c, err := dial(tpm.Path)
	if err == nil {
		err = errors.Join(command(c), c.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestUnusable: the error says why the TPM cannot be used.
func TestUnusable(t *testing.T) {
	tpm := swtpm.Start(t)
	file := filepath.Join(t.TempDir(), "tpm")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for device, want := range map[string]string{
		file + "x":  "the device does not exist",
		file:        "the file is not a device",
		"/dev/null": "no response: EOF",
		"/dev/zero": "the response has 4096 bytes but states 0",
	} {
		if _, err := Create(device); err == nil || !strings.HasPrefix(err.Error(), "cannot create a key in the TPM at "+device+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", device, err, want)
		}
	}
	do(t, tpm, func(c conn) error {
		_, err := tpm2.HierarchyChangeAuth{
			AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
			NewAuth:    tpm2.TPM2BAuth{Buffer: []byte("x")},
		}.Execute(c)
		return err
	})
	if _, err := Create(tpm.Path); err == nil || !strings.Contains(err.Error(), "its owner hierarchy has a password, which must be empty") {
		t.Errorf("an owner with a password: %v", err)
	}
}

// TestDigest: anything but a SHA-256 digest is refused.
func TestDigest(t *testing.T) {
	k := &Key{}
	for _, tt := range []struct {
		digest []byte
		hash   crypto.Hash
	}{{make([]byte, 32), crypto.SHA384}, {make([]byte, 31), crypto.SHA256}, {make([]byte, 32), 0}} {
		if _, err := k.Sign(rand.Reader, tt.digest, tt.hash); err == nil || !strings.Contains(err.Error(), "the digest is not SHA-256") {
			t.Errorf("%d bytes, %v: %v", len(tt.digest), tt.hash, err)
		}
	}
}

// BenchmarkSign compares the same key in a file and in a TPM. The TPM is software and
// faster than a chip, so the benchmark measures only the overhead.
func BenchmarkSign(b *testing.B) {
	digest := sha256.Sum256(nil)
	inFile, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	tpm := swtpm.Start(b)
	inTPM := open(b, create(b, tpm.Path), tpm.Path)
	for name, key := range map[string]crypto.Signer{"file": inFile, "swtpm": inTPM} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
