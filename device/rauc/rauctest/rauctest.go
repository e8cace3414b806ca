// Package rauctest runs a real RAUC for tests, on a bus of its own. RAUC mounts bundles, so it
// needs root.
package rauctest

import (
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

	"smartkiosk/device/rauc"
)

// Bench is a real RAUC on a bus of its own. Its slots are files, and a script stands in for the
// boot loader. Its bundles have the plain format, because the verity format needs the device
// mapper, which not every machine has.
type Bench struct {
	t   testing.TB
	Dir string // of all files: rootfs.0, rootfs.1, the boot loader's primary, state.A and state.B, and others
	rauc.Client
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

// New makes a machine that starts from rootfs.0. RAUC is not running yet.
func New(t testing.TB) *Bench {
	t.Helper()
	dir, err := os.MkdirTemp("", "rauc") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b := &Bench{t: t, Dir: dir, Client: rauc.Client{Address: "unix:path=" + dir + "/bus"}}
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
	b.NewKey("cert.pem", "key.pem")
	b.start("dbus-daemon", "--config-file="+dir+"/bus.conf", "--nofork")
	b.WaitFor(func(ctx context.Context) bool { _, err := b.Present(ctx); return err == nil })
	return b
}

// NewKey makes a key that signs bundles, and its certificate.
func (b *Bench) NewKey(cert, key string) {
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
	b.Write(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	b.Write(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))
}

// Write writes a file in Dir.
func (b *Bench) Write(name string, text []byte) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.Dir, name), text, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// Read returns the content of a file in Dir.
func (b *Bench) Read(name string) string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.Dir, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// start starts a program that ends with the test.
func (b *Bench) start(name string, args ...string) *exec.Cmd {
	b.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+b.Address)
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

// WaitFor waits until done returns true.
func (b *Bench) WaitFor(done func(ctx context.Context) bool) {
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

// Boot starts RAUC as after a start of the machine from a slot.
func (b *Bench) Boot(bootName string) (stop func()) {
	b.t.Helper()
	cmd := b.start("rauc", "-c", b.Dir+"/system.conf", "--override-boot-slot="+bootName, "service")
	b.WaitFor(func(ctx context.Context) bool { present, err := b.Present(ctx); return err == nil && present })
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		b.WaitFor(func(ctx context.Context) bool { present, err := b.Present(ctx); return err == nil && !present })
	}
}

// Bundle has RAUC make a bundle. key is the name of its signer's key.
func (b *Bench) Bundle(name, compatible, version, cert, key string, image []byte) string {
	b.t.Helper()
	dir := b.t.TempDir()
	manifest := fmt.Sprintf("[update]\ncompatible=%s\nversion=%s\n[bundle]\nformat=plain\n[image.rootfs]\nfilename=rootfs.ext4\n", compatible, version)
	for file, text := range map[string][]byte{"manifest.raucm": []byte(manifest), "rootfs.ext4": image} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	path := filepath.Join(b.Dir, name)
	out, err := exec.Command("rauc", "--cert", filepath.Join(b.Dir, cert), "--key", filepath.Join(b.Dir, key), "bundle", dir, path).CombinedOutput()
	if err != nil {
		b.t.Fatalf("%v: %s", err, out)
	}
	return path
}
