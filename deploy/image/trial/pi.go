package main

import (
	"os"
	"path/filepath"
)

// raspberryPi starts a new SD card in QEMU's Raspberry Pi 3B. Without a shell, the console's
// log says what happens.
func (t *trial) raspberryPi() error {
	if t.machine != nil {
		t.cutPower()
	}
	files, err := t.hub.provision(t.work)
	if err != nil {
		return err
	}
	if err := makeDisk(filepath.Join(t.image, "kiosk.img.zst"), t.disk, cardSize, files); err != nil {
		return err
	}
	boot := filepath.Join(t.work, "boot")
	if err := os.MkdirAll(boot, 0o755); err != nil {
		return err
	}
	if err := command("mcopy", "-o", "-i", t.disk+bootPartition, "::u-boot.bin", "::bcm2837-rpi-3-b.dtb", boot); err != nil {
		return err
	}
	if err := setArguments(filepath.Join(t.scripts, "boot.cmd"), t.disk, "systemd.journald.forward_to_console=1 console=ttyS1,115200"); err != nil {
		return err
	}
	if t.machine, err = startPi(t.work, t.disk, boot); err != nil {
		return err
	}
	groups, _, err := t.machine.await(`Machine model: ([^\r\n]*)`)
	if err != nil {
		return err
	}
	t.line("the kernel runs on %q", groups[1])
	_, at, err := t.machine.await(`Reached target multi-user.target`)
	if err != nil {
		return err
	}
	t.line("system (multi-user) after %.0f s", at.Seconds())
	groups, at, err = t.machine.await(`msg=enrolled|the kiosk cannot be set up[^\r\n]*`)
	if err != nil {
		return err
	}
	t.line("after %.0f s kioskd says: %s", at.Seconds(), groups[0])
	_, end, err := dataPartition(t.disk)
	if err == nil {
		err = is(end, cardSize/512)
	}
	t.check("the data partition has grown", err)
	return nil
}
