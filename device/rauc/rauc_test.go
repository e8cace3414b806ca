package rauc

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// bench is a real RAUC on a bus of its own. Its slots are files, and a script stands in for the
// boot loader. Its bundles have the plain format, because the verity format needs the device
// mapper, which not every machine has.
type bench struct {
	t   *testing.T
	dir string
	Client
}

const bootLoader = `#!/bin/sh
# The boot loader's variables are files.
cd "${0%/*}"
case $1 in
get-primary) cat primary ;;
set-primary) echo $2 >primary ;;
get-state) cat state.$2 ;;
set-state) echo $3 >state.$2 ;;
*) exit 1 ;;
esac
`

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path=DIR/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>
`

const systemConfig = `[system]
compatible=smartkiosk-arm64
bootloader=custom
mountprefix=DIR/mnt
statusfile=DIR/status
bundle-formats=plain
[handlers]
bootloader-custom-backend=DIR/boot.sh
[keyring]
path=DIR/cert.pem
[slot.rootfs.0]
device=DIR/rootfs.0
type=raw
bootname=A
[slot.rootfs.1]
device=DIR/rootfs.1
type=raw
bootname=B
`

func newBench(t *testing.T) *bench {
	t.Helper()
	dir, err := os.MkdirTemp("", "rauc") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b := &bench{t: t, dir: dir, Client: Client{Address: "unix:path=" + dir + "/bus"}}
	for name, text := range map[string]string{
		"boot.sh": bootLoader, "bus.conf": busConfig, "system.conf": systemConfig,
		"primary": "A\n", "state.A": "good\n", "state.B": "bad\n",
		"rootfs.0": strings.Repeat("\x00", 1<<16), "rootfs.1": strings.Repeat("\x00", 1<<16),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "DIR", dir)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "mnt"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.newKey("cert.pem", "key.pem")
	b.start("dbus-daemon", "--config-file="+dir+"/bus.conf", "--nofork")
	b.waitFor(func(ctx context.Context) bool { _, err := b.Present(ctx); return err == nil })
	return b
}

// newKey makes a key that signs bundles, and its certificate.
func (b *bench) newKey(cert, key string) {
	b.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "updates of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		b.t.Fatal(err)
	}
	b.write(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	b.write(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))
}

func (b *bench) write(name string, text []byte) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), text, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) read(name string) string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// start starts a program that ends with the test.
func (b *bench) start(name string, args ...string) *exec.Cmd {
	b.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+b.Address)
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

// waitFor waits until done returns true.
func (b *bench) waitFor(done func(ctx context.Context) bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 2*time.Minute)
	defer cancel()
	for !done(ctx) {
		select {
		case <-ctx.Done():
			b.t.Fatal("a service did not start")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// boot starts RAUC as after a start of the machine from a slot.
func (b *bench) boot(bootName string) (stop func()) {
	b.t.Helper()
	cmd := b.start("rauc", "-c", b.dir+"/system.conf", "--override-boot-slot="+bootName, "service")
	b.waitFor(func(ctx context.Context) bool { present, err := b.Present(ctx); return err == nil && present })
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		b.waitFor(func(ctx context.Context) bool { present, err := b.Present(ctx); return err == nil && !present })
	}
}

// bundle has RAUC make a bundle. key is the name of its signer's key.
func (b *bench) bundle(name, compatible, version, cert, key string, image []byte) string {
	b.t.Helper()
	dir := b.t.TempDir()
	manifest := fmt.Sprintf("[update]\ncompatible=%s\nversion=%s\n[bundle]\nformat=plain\n[image.rootfs]\nfilename=rootfs.ext4\n", compatible, version)
	for file, text := range map[string][]byte{"manifest.raucm": []byte(manifest), "rootfs.ext4": image} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	path := filepath.Join(b.dir, name)
	out, err := exec.Command("rauc", "--cert", filepath.Join(b.dir, cert), "--key", filepath.Join(b.dir, key), "bundle", dir, path).CombinedOutput()
	if err != nil {
		b.t.Fatalf("%v: %s", err, out)
	}
	return path
}

// TestRAUC has a real RAUC install bundles and refuse others. RAUC mounts bundles, so this
// test needs root.
func TestRAUC(t *testing.T) {
	b := newBench(t)
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
	stop := b.boot("A")
	image := make([]byte, 20_000)
	_, _ = rand.Read(image)
	good := b.bundle("good.raucb", "smartkiosk-arm64", "1.5.0", "cert.pem", "key.pem", image)
	b.newKey("other-cert.pem", "other-key.pem")
	foreign := b.bundle("foreign.raucb", "smartkiosk-arm64", "1.5.0", "other-cert.pem", "other-key.pem", image)
	fridge := b.bundle("fridge.raucb", "fridge", "1.5.0", "cert.pem", "key.pem", image)
	altered := filepath.Join(b.dir, "altered.raucb")
	text := []byte(b.read("good.raucb"))
	text[5000] ^= 1 // in the squashfs
	b.write("altered.raucb", text)
	b.write("text.raucb", []byte("This is a text and no bundle at all, though long enough."))

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
		foreign: "signature", altered: "signature", filepath.Join(b.dir, "text.raucb"): "bundle", "/nowhere": "No such file",
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
		if b.read("primary") != "A\n" || strings.Trim(b.read("rootfs.1"), "\x00") != "" {
			t.Fatalf("%s was installed", filepath.Base(path))
		}
	}

	if refusal, err := b.Install(ctx, good); refusal != "" || err != nil {
		t.Fatalf("a good bundle: %q, %v", refusal, err)
	}
	if !bytes.HasPrefix([]byte(b.read("rootfs.1")), image) || b.read("primary") != "B\n" {
		t.Fatalf("the other slot does not have the image, or the machine does not start from it (%q)", b.read("primary"))
	}
	stop()

	stop = b.boot("B")
	if _, slot, version, err := b.Status(ctx); slot != "rootfs.1" || version != "1.5.0" || err != nil {
		t.Errorf("after the restart: %q, %q, %v", slot, version, err)
	}
	if err := b.MarkGood(ctx); err != nil || b.read("state.B") != "good\n" {
		t.Errorf("the new slot is %q, %v", b.read("state.B"), err)
	}
	if err := b.FallBack(ctx); err != nil || b.read("state.B") != "bad\n" || b.read("primary") != "A\n" {
		t.Errorf("after going back the new slot is %q, the primary %q, %v", b.read("state.B"), b.read("primary"), err)
	}
	stop()
	if err := b.MarkGood(ctx); err == nil {
		t.Error("a RAUC that does not run marked a slot")
	}
}

// A RAUC that dies while it installs ends the call with an error, and a second installation at
// the same time is no refusal.
func TestRAUCDies(t *testing.T) {
	b := newBench(t)
	stop := b.boot("A")
	// The handler of the boot loader waits, so that the installation does not end.
	if err := exec.Command("mkfifo", filepath.Join(b.dir, "wait")).Run(); err != nil {
		t.Fatal(err)
	}
	b.write("boot.sh", []byte(strings.Replace(bootLoader, "set-state) ", "set-state) read gate <wait; ", 1)))
	if err := os.Chmod(filepath.Join(b.dir, "boot.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	good := b.bundle("good.raucb", "smartkiosk-arm64", "1.5.0", "cert.pem", "key.pem", make([]byte, 10_000))
	done := make(chan error, 1)
	go func() {
		refusal, err := b.Install(t.Context(), good)
		if refusal != "" {
			err = fmt.Errorf("RAUC refused it: %s", refusal)
		}
		done <- err
	}()
	b.waitFor(func(ctx context.Context) (installing bool) {
		_ = b.call(ctx, func(_ *dbus.Conn, rauc dbus.BusObject) error {
			operation, err := property(ctx, rauc, "Operation")
			installing = operation == "installing"
			return err
		})
		return installing
	})
	if refusal, err := b.Install(t.Context(), good); err == nil || refusal != "" || !strings.Contains(err.Error(), "it is installing already") {
		t.Errorf("a second installation at the same time: %q, %v", refusal, err)
	}
	stop()
	if err := <-done; err == nil || strings.Contains(err.Error(), "refused") {
		t.Errorf("RAUC died: %v", err)
	}
}
