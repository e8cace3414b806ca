package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The versions of the bundles. Those of the packages are lower.
const goodVersion, badVersion = "1.0.0", "1.1.0"

// makeBundles makes a disk with the bundles of the trial. good is the image's own root.
func (t *trial) makeBundles() error {
	root := filepath.Join(t.image, "root.ext4")
	broken := filepath.Join(t.work, "broken.ext4")
	if err := brokenRoot(root, broken); err != nil {
		return err
	}
	path := func(name string) string { return filepath.Join(t.work, name) }
	bundle := func(root, version, keys, name string) error {
		return command("sh", filepath.Join(t.scripts, "bundle.sh"), root, version, filepath.Join(keys, "signer.pem"), filepath.Join(keys, "signer.key"), path(name))
	}
	if err := bundle(root, goodVersion, t.keys, "good.raucb"); err != nil {
		return err
	}
	if err := bundle(broken, badVersion, t.keys, "bad.raucb"); err != nil {
		return err
	}
	if err := changed(path("good.raucb"), path("altered.raucb")); err != nil {
		return err
	}
	// Somebody else's keys.
	made := command("env", "XDG_CACHE_HOME="+path("stranger"), "sh", filepath.Join(t.scripts, "keys.sh"))
	if made != nil {
		return made
	}
	small := path("small.ext4")
	random := make([]byte, 1<<16) // mksquashfs must not compress it to nothing
	_, _ = rand.Read(random)      // never fails
	if err := os.WriteFile(small, random, 0o600); err != nil {
		return err
	}
	if err := bundle(small, goodVersion, path("stranger/smartkiosk/image/keys"), "stranger.raucb"); err != nil {
		return err
	}
	info, err := os.Stat(path("good.raucb"))
	if err != nil {
		return err
	}
	t.line("a bundle has %d MB", info.Size()/1e6)
	return bundleDisk(t.extra, path("altered.raucb"), path("stranger.raucb"))
}

const mountBundles = "mkdir -p /run/bundles && { mountpoint -q /run/bundles || mount -o ro /dev/disk/by-id/virtio-bundles /run/bundles; }"

// env returns one of U-Boot's variables.
func (t *trial) env(name string) (string, error) {
	return t.machine.shell.run("fw_printenv -n " + name)
}

// slot returns the slot that runs.
func (t *trial) slot() (string, error) {
	return t.machine.shell.run(`sed 's/.*rauc\.slot=\([AB]\).*/\1/' /proc/cmdline`)
}

// refuse tries bundles that RAUC must refuse. The kiosk must go on with slot A.
func (t *trial) refuse() error {
	if _, err := t.machine.shell.run(mountBundles); err != nil {
		return err
	}
	for name, why := range map[string]string{"altered": "one byte is altered", "stranger": "somebody else signed it"} {
		out, err := t.machine.shell.run("! rauc install /run/bundles/" + name + ".raucb 2>&1")
		lines := strings.Split(strings.TrimSpace(out), "\n")
		t.check(fmt.Sprintf("RAUC refuses a bundle: %s (%s)", why, lines[len(lines)-1]), err)
	}
	order, err := t.env("BOOT_ORDER")
	if err == nil && !strings.HasPrefix(order, "A") {
		err = fmt.Errorf("the order is %q", order)
	}
	t.check("slot A would start", err)
	return nil
}

// offer has the hub offer a bundle to all kiosks. kioskd asks the hub at its start.
func (t *trial) offer(name, version string) error {
	out, err := t.hub.run("kioskhub", "update", "add", "--dir", t.hub.dir, "--rings", "100%", filepath.Join(t.work, name+".raucb"))
	if err != nil {
		return err
	}
	t.line("the hub has the bundle: %s", strings.SplitN(out, "\n", 2)[0])
	if _, err := t.hub.run("kioskhub", "update", "ring", "--dir", t.hub.dir, version, "1"); err != nil {
		return err
	}
	_, err = t.machine.shell.run("systemctl restart kioskd")
	return err
}

// install waits until the kiosk has installed the offered bundle and starts again. The bundle
// may be there already.
func (t *trial) install() error {
	_, from, err := t.machine.await(`kioskd\[\d+\]: .*update is being installed`)
	if err != nil {
		return err
	}
	_, to, err := t.machine.await(`kioskd\[\d+\]: .*update is installed`)
	if err != nil {
		return err
	}
	t.line("the kiosk began to install the bundle %.0f s after the kernel's start, which took %.0f s", from.Seconds(), (to - from).Seconds())
	return t.awaitReset()
}

// result checks what the hub says about an update.
func (t *trial) result(what, version string) {
	list, err := t.hub.run("kioskhub", "update", "list", "--dir", t.hub.dir)
	t.block(list)
	var line []string
	for l := range strings.Lines(list) {
		if strings.HasPrefix(l, version+" ") {
			line = strings.Fields(l)
		}
	}
	if err == nil && len(line) < 6 {
		err = fmt.Errorf("it does not list %s", version)
	}
	if err == nil {
		err = is("installed "+line[3]+", good "+line[4]+", failed "+line[5], what)
	}
	t.check("the hub says: "+what, err)
}

// awaitReset waits for U-Boot.
func (t *trial) awaitReset() error {
	_, _, err := t.machine.await(`U-Boot 20`)
	return err
}

// runs checks which slot runs, and that it is good.
func (t *trial) runs(slot string) error {
	got, err := t.slot()
	if err != nil {
		return err
	}
	t.check("slot "+slot+" runs", is(got, slot))
	return nil
}

func (t *trial) update() error {
	if err := t.offer("good", goodVersion); err != nil {
		return err
	}
	// The first installation is cut.
	if _, _, err := t.machine.await("writing data to device"); err != nil {
		return err
	}
	time.Sleep(10 * time.Second)
	t.cutPower()
	t.line("the power is cut while RAUC writes slot B")
	if err := t.switchOn(); err != nil {
		return err
	}
	if err := t.ready(); err != nil {
		return err
	}
	if err := t.runs("A"); err != nil {
		return err
	}
	if err := t.install(); err != nil {
		return err
	}
	if err := t.ready(); err != nil {
		return err
	}
	if err := t.runs("B"); err != nil {
		return err
	}
	if _, _, err := t.machine.await(`update is good`); err != nil {
		return err
	}
	left, err := t.env("BOOT_B_LEFT")
	if err == nil {
		err = is(left, "9")
	}
	t.check("kioskd has marked slot B good", err)
	if err := t.welcome(); err != nil {
		return err
	}
	t.result("installed 0, good 1, failed 0", goodVersion)
	return nil
}

// failingUpdate installs a system in which kioskd does not start.
func (t *trial) failingUpdate() error {
	if err := t.offer("bad", badVersion); err != nil {
		return err
	}
	if err := t.install(); err != nil {
		return err
	}
	began := time.Now()
	if _, _, err := t.machine.await(`Run /init as init process`); err != nil {
		return err
	}
	if _, _, err := t.machine.await(`rauc\.slot=A|kioskd.service: (Failed|Unable)`); err != nil {
		return err
	}
	if err := t.awaitReset(); err != nil {
		return err
	}
	t.line("the new system was given up after %.0f s", time.Since(began).Seconds())
	if err := t.ready(); err != nil {
		return err
	}
	if err := t.runs("B"); err != nil {
		return err
	}
	if _, _, err := t.machine.await(`update is not kept`); err != nil {
		return err
	}
	order, err := t.env("BOOT_ORDER")
	if err == nil && !strings.HasPrefix(order, "B") {
		err = fmt.Errorf("the order is %q", order)
	}
	t.check("U-Boot starts slot B from now on", err)
	out, err := t.machine.shell.run("rauc status 2>&1")
	t.block(out)
	if err != nil {
		return err
	}
	if err := t.welcome(); err != nil {
		return err
	}
	t.result("installed 0, good 0, failed 1", badVersion)
	return nil
}

func (t *trial) lastStart() error {
	t.cutPower()
	if err := t.switchOn(); err != nil {
		return err
	}
	if err := t.ready(); err != nil {
		return err
	}
	if err := t.runs("B"); err != nil {
		return err
	}
	_, err := t.machine.shell.run("! journalctl -u kioskd | grep -q msg=enrolled")
	t.check("the kiosk has not enrolled again", err)
	if _, _, err := t.machine.await(`marked slot rootfs.1 as good`); err != nil {
		return err
	}
	left, err := t.env("BOOT_B_LEFT")
	if err == nil {
		err = is(left, "9")
	}
	t.check("slot B is still good", err)
	return t.welcome()
}
