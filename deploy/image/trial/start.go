package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/panel"
)

// cardSize is the size of the SD card: 4 GiB, twice the image.
const cardSize = 4 << 30

func (t *trial) makeCard() error {
	files, err := t.hub.provision(t.work)
	if err != nil {
		return err
	}
	if err := makeDisk(filepath.Join(t.image, "kiosk.img.zst"), t.disk, cardSize, files); err != nil {
		return err
	}
	if err := setArguments(filepath.Join(t.scripts, "boot.cmd"), t.disk, trialArguments()); err != nil {
		return err
	}
	if err := t.makeBundles(); err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(t.image, "kiosk.img.zst"))
	if err != nil {
		return err
	}
	t.line("the image has %d MB, compressed", info.Size()/1e6)
	return nil
}

func (t *trial) switchOn() (err error) {
	t.machine, err = start(t.work, t.disk, t.extra)
	return err
}

func (t *trial) cutPower() {
	t.machine.cut()
	t.machine = nil
}

// cutFirstStart cuts the power as soon as the partition table has changed.
func (t *trial) cutFirstStart() error {
	_, before, err := dataPartition(t.disk)
	if err != nil {
		return err
	}
	if err := t.switchOn(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err = poll(ctx, func() (bool, error) {
		_, end, err := dataPartition(t.disk)
		return end != before, err
	})
	if err != nil {
		return fmt.Errorf("the partition table has not changed: %w", err)
	}
	t.line("the power is cut after %.0f s", time.Since(t.machine.began).Seconds())
	t.cutPower()
	_, end, err := dataPartition(t.disk)
	if err != nil {
		return err
	}
	size, err := dataFileSystem(t.disk)
	if err != nil {
		return err
	}
	t.line("the data partition ends at %d MB, its file system has %d MB", end*512>>20, size>>20)
	return nil
}

// ready waits until kioskd serves, and reports how long that took after the kernel's start.
func (t *trial) ready() error {
	var at [3]time.Duration
	for i, line := range []string{`Run /init as init process`, `Reached target multi-user.target`, `kioskd\[\d+\]: .*msg=ready`} {
		var err error
		if _, at[i], err = t.machine.await(line); err != nil {
			return err
		}
	}
	t.line("after the kernel's start: its first program %.0f s, system (multi-user) %.0f s, kiosk serves %.0f s: %.0f s after the bare system, %.2f times as long",
		at[0].Seconds(), at[1].Seconds(), at[2].Seconds(), (at[2] - at[1]).Seconds(), at[2].Seconds()/at[1].Seconds())
	return nil
}

// welcome waits for the welcome screen and takes a picture of it.
func (t *trial) welcome() error {
	if err := openPage(t.machine.shell); err != nil {
		return err
	}
	if err := t.sees("welcome", "welcome"); err != nil {
		return err
	}
	if err := t.browser.open(); err != nil {
		return err
	}
	return t.browser.picture(t.picture("welcome"))
}

// sees waits for one of the screens, separated by "|".
func (t *trial) sees(what, screens string) error {
	f, err := awaitFrame(what, func(f panel.Frame) bool {
		for s := range strings.SplitSeq(screens, "|") {
			if f.Name == s {
				return true
			}
		}
		return false
	})
	if err != nil {
		return err
	}
	t.line("the panel shows %q: %s", f.Name, strings.Join(strings.Fields(f.Heading+" "+f.Text), " "))
	return nil
}

func (t *trial) firstStart() error {
	if err := t.switchOn(); err != nil {
		return err
	}
	if _, _, err := t.machine.await(`msg=enrolled kiosk=` + kioskName); err != nil {
		return err
	}
	t.machine.read = 0
	if err := t.ready(); err != nil {
		return err
	}
	list, err := t.hub.run("kioskhub", "kiosk", "list", "--dir", t.hub.dir)
	if err == nil && !strings.Contains(list, kioskName) {
		err = fmt.Errorf("it is not in the list:\n%s", list)
	}
	t.check("the hub knows the kiosk", err)
	_, err = t.machine.shell.run("test ! -e /boot/firmware/code.txt && test -e /boot/firmware/kiosk.toml")
	t.check("the code is deleted, the settings are kept", err)
	_, end, err := dataPartition(t.disk)
	if err == nil {
		err = is(end, cardSize/512)
	}
	t.check("the data partition ends where the card ends", err)
	blocks, err := t.machine.shell.run("stat -f -c '%b %S' /data")
	var n, size int64
	if err == nil {
		_, err = fmt.Sscan(blocks, &n, &size)
	}
	if err == nil && n*size < 2300<<20 {
		err = fmt.Errorf("it has %d MB", n*size>>20)
	}
	t.check("its file system has grown", err)
	_, err = t.machine.shell.run(`test "$(systemctl --failed --no-legend | wc -l)" = 0 || { systemctl --failed --no-legend; false; }`)
	t.check("no unit has failed", err)
	memory, err := t.machine.shell.run("grep -E 'VmRSS|RssAnon' /proc/$(systemctl show -P MainPID kioskd)/status")
	t.check("kioskd's memory: "+strings.Join(strings.Fields(memory), " "), err)
	return t.welcome()
}

func (t *trial) visit() error {
	if err := t.machine.reader.insert(filepath.Join(t.hub.pki, "cards", "valid.card")); err != nil {
		return err
	}
	if err := t.sees("the question for the PIN", "pin"); err != nil {
		return err
	}
	if err := t.browser.picture(t.picture("pin")); err != nil {
		return err
	}
	if err := press(testpki.PIN + "#"); err != nil {
		return err
	}
	if err := t.sees("a verdict", "granted|denied|failed"); err != nil {
		return err
	}
	if err := t.browser.picture(t.picture("verdict")); err != nil {
		return err
	}
	if err := t.machine.reader.remove(); err != nil {
		return err
	}
	if err := t.sees("the welcome screen", "welcome"); err != nil {
		return err
	}
	_, _, err := t.machine.await(`visit ended.*outcome=granted`)
	return err
}

func (t *trial) doctor() error {
	// The firewall lets only kioskd's user open connections.
	out, err := t.machine.shell.run("runuser -u kioskd -- kioskctl doctor")
	t.block(out)
	t.check("doctor finds no failure", err)
	out, err = t.machine.shell.run("kioskctl events export --from /var/lib/smartkiosk/kioskd.sock")
	var events []struct {
		Type     string `json:"type"`
		Sequence string `json:"sequence"`
	}
	if err == nil {
		err = json.Unmarshal([]byte(out), &events)
	}
	visits := 0
	for _, e := range events {
		if e.Type == "smartkiosk.visit.v1" {
			visits++
		}
	}
	if err == nil {
		err = is(visits, 1)
	}
	t.check(fmt.Sprintf("the export has %d events, one is the visit", len(events)), err)
	return nil
}
