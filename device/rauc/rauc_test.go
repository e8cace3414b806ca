package rauc_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/device/rauc"
	"smartkiosk/device/rauc/rauctest"
)

// TestRAUC has a real RAUC install bundles and refuse others. RAUC mounts bundles, so this
// test needs root.
func TestRAUC(t *testing.T) {
	b := rauctest.New(t)
	ctx := t.Context()
	if present, err := b.Present(ctx); present || err != nil {
		t.Fatalf("before it is started, RAUC is present: %v, %v", present, err)
	}
	if _, _, _, err := b.Status(ctx); err == nil {
		t.Error("a machine without RAUC has a status")
	}
	if refusal, err := b.Install(ctx, "/nowhere"); err == nil || refusal != "" {
		t.Errorf("without RAUC: %q, %v", refusal, err)
	}
	if _, _, refusal, err := b.Inspect(ctx, "/nowhere"); err == nil || refusal != "" {
		t.Errorf("without RAUC: %q, %v", refusal, err)
	}
	stop := b.Boot("A")
	image := make([]byte, 20_000)
	_, _ = rand.Read(image)
	good := b.Bundle("good.raucb", "smartkiosk-arm64", "1.5.0", "cert.pem", "key.pem", image)
	b.NewKey("other-cert.pem", "other-key.pem")
	foreign := b.Bundle("foreign.raucb", "smartkiosk-arm64", "1.5.0", "other-cert.pem", "other-key.pem", image)
	fridge := b.Bundle("fridge.raucb", "fridge", "1.5.0", "cert.pem", "key.pem", image)
	altered := filepath.Join(b.Dir, "altered.raucb")
	text := []byte(b.Read("good.raucb"))
	text[5000] ^= 1 // in the squashfs
	b.Write("altered.raucb", text)
	b.Write("text.raucb", []byte("This is a text and no bundle at all, though long enough."))

	if compatible, slot, version, err := b.Status(ctx); compatible != "smartkiosk-arm64" || slot != "rootfs.0" || version != "" || err != nil {
		t.Errorf("the status is %q, %q, %q, %v", compatible, slot, version, err)
	}
	if compatible, version, refusal, err := b.Inspect(ctx, good); compatible != "smartkiosk-arm64" || version != "1.5.0" || refusal != "" || err != nil {
		t.Errorf("a good bundle: %q, %q, %q, %v", compatible, version, refusal, err)
	}
	if compatible, _, refusal, err := b.Inspect(ctx, fridge); compatible != "fridge" || refusal != "" || err != nil {
		t.Errorf("a bundle for a fridge: %q, %q, %v", compatible, refusal, err)
	}
	for path, want := range map[string]string{
		foreign: "signature", altered: "signature", filepath.Join(b.Dir, "text.raucb"): "bundle", "/nowhere": "No such file",
	} {
		// RAUC 1.8 does not say why.
		if _, _, refusal, err := b.Inspect(ctx, path); err != nil || !strings.Contains(refusal, want) && refusal != "rauc info error" {
			t.Errorf("inspect %s: %q, %v, want %q", filepath.Base(path), refusal, err, want)
		}
	}
	for path, want := range map[string]string{foreign: "signature", altered: "signature", fridge: "Compatible mismatch"} {
		if refusal, err := b.Install(ctx, path); err != nil || !strings.Contains(refusal, want) {
			t.Errorf("install %s: %q, %v, want %q", filepath.Base(path), refusal, err, want)
		}
		if b.Read("primary") != "A\n" || strings.Trim(b.Read("rootfs.1"), "\x00") != "" {
			t.Fatalf("%s was installed", filepath.Base(path))
		}
	}

	if refusal, err := b.Install(ctx, good); refusal != "" || err != nil {
		t.Fatalf("a good bundle: %q, %v", refusal, err)
	}
	if !bytes.HasPrefix([]byte(b.Read("rootfs.1")), image) || b.Read("primary") != "B\n" {
		t.Fatalf("the other slot does not have the image, or the machine does not start from it (%q)", b.Read("primary"))
	}
	stop()

	stop = b.Boot("B")
	if _, slot, version, err := b.Status(ctx); slot != "rootfs.1" || version != "1.5.0" || err != nil {
		t.Errorf("after the restart: %q, %q, %v", slot, version, err)
	}
	if err := b.MarkGood(ctx); err != nil || b.Read("state.B") != "good\n" {
		t.Errorf("the new slot is %q, %v", b.Read("state.B"), err)
	}
	if err := b.FallBack(ctx); err != nil || b.Read("state.B") != "bad\n" || b.Read("primary") != "A\n" {
		t.Errorf("after going back the new slot is %q, the primary %q, %v", b.Read("state.B"), b.Read("primary"), err)
	}
	stop()
	if err := b.MarkGood(ctx); err == nil {
		t.Error("a RAUC that does not run marked a slot")
	}
}

// A RAUC that dies while it installs ends the call with an error, and a second installation at
// the same time is no refusal.
func TestRAUCDies(t *testing.T) {
	b := rauctest.New(t)
	stop := b.Boot("A")
	// The handler of the boot loader waits, so that the installation does not end.
	if err := exec.Command("mkfifo", filepath.Join(b.Dir, "wait")).Run(); err != nil {
		t.Fatal(err)
	}
	b.Write("boot.sh", []byte(strings.Replace(b.Read("boot.sh"), "set-state) ", "set-state) read gate <wait; ", 1)))
	if err := os.Chmod(filepath.Join(b.Dir, "boot.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	good := b.Bundle("good.raucb", "smartkiosk-arm64", "1.5.0", "cert.pem", "key.pem", make([]byte, 10_000))
	done := make(chan error, 1)
	go func() {
		refusal, err := b.Install(t.Context(), good)
		if refusal != "" {
			err = fmt.Errorf("RAUC refused it: %s", refusal)
		}
		done <- err
	}()
	b.WaitFor(func(ctx context.Context) bool {
		operation, err := b.Operation(ctx)
		return err == nil && operation == "installing"
	})
	if refusal, err := b.Install(t.Context(), good); err == nil || refusal != "" || !strings.Contains(err.Error(), "it is installing already") {
		t.Errorf("a second installation at the same time: %q, %v", refusal, err)
	}
	stop()
	if err := <-done; err == nil || strings.Contains(err.Error(), "refused") {
		t.Errorf("RAUC died: %v", err)
	}
}

// A machine without D-Bus takes no updates; that is no error.
func TestNoBus(t *testing.T) {
	c := rauc.Client{Address: "unix:path=" + filepath.Join(t.TempDir(), "bus")}
	if present, err := c.Present(t.Context()); present || err != nil {
		t.Errorf("without D-Bus RAUC is present: %v, %v", present, err)
	}
}
