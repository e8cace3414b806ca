// Trial boots an image in QEMU with a hub next to it, and tries what happens to a kiosk: a
// power cut at the first start, enrolment, a visit, an update, and updates that fail. It
// writes a report with pictures of the panel. It needs the network to itself:
//
//	unshare --net sh -c 'ip link set lo up; trial -image bin/image -programs bin -keys DIR -report DIR'
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	t := &trial{}
	flag.StringVar(&t.image, "image", "", "`folder` of kiosk.img.zst, root.ext4 and version")
	flag.StringVar(&t.scripts, "scripts", "", "`folder` with boot.cmd and bundle.sh")
	flag.StringVar(&t.programs, "programs", "", "`folder` of our programs")
	flag.StringVar(&t.keys, "keys", "", "`folder` of the keys that sign bundles")
	reportDir := flag.String("report", "", "`folder` for the report")
	flag.Parse()
	if err := t.run(*reportDir); err != nil {
		fmt.Fprintln(os.Stderr, "trial:", err)
		os.Exit(1)
	}
}

// trial is one run.
type trial struct {
	image, scripts, programs, keys string

	*report
	work    string
	disk    string // the kiosk's SD card
	extra   string // a disk with bundles
	hub     *hub
	browser *browser
	machine *machine
	failed  bool
}

func (t *trial) run(reportDir string) (err error) {
	if t.work, err = os.MkdirTemp("", "trial-"); err != nil {
		return err
	}
	defer os.RemoveAll(t.work)
	if t.report, err = newReport(reportDir); err != nil {
		return err
	}
	defer t.file.Close()
	t.disk, t.extra = filepath.Join(t.work, "disk"), filepath.Join(t.work, "bundles")
	if t.hub, err = openHub(t.programs, t.work); err != nil {
		return err
	}
	defer t.hub.close()
	if t.browser, err = openBrowser(); err != nil {
		return err
	}
	defer t.browser.stop()
	defer func() {
		if t.machine != nil {
			t.machine.cut()
		}
	}()
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"Make an SD card and bundles", t.makeCard},
		{"First start, with a power cut while the data partition grows", t.cutFirstStart},
		{"First start, again", t.firstStart},
		{"A visit", t.visit},
		{"Doctor and export", t.doctor},
		{"Bundles that must be refused", t.refuse},
		{"An update", t.update},
		{"An update whose kioskd does not start", t.failingUpdate},
		{"A power cut, and one more start", t.lastStart},
		{"The device tree of a Raspberry Pi 3B", t.raspberryPi},
	} {
		t.heading(step.name)
		if err := step.do(); err != nil {
			t.line("FAILED: %v", err)
			if t.machine != nil {
				t.block(string(t.machine.lastLines(60)))
			}
			return errors.New("the image does not do what it should: see " + filepath.Join(t.dir, "report.md"))
		}
	}
	if t.failed {
		return errors.New("the image does not do what it should: see " + filepath.Join(t.dir, "report.md"))
	}
	return nil
}

// check reports whether something is as it should be, and goes on.
func (t *trial) check(what string, err error) {
	if err != nil {
		t.failed = true
		t.line("FAILED: %s: %v", what, err)
		return
	}
	t.line("ok: %s", what)
}

// is returns an error unless got is want.
func is[T comparable](got, want T) error {
	if got != want {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return nil
}
