//go:build linux

package scenario

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"smartkiosk/deploy/bench/machine/hardware"
)

// plugsReader plugs the reader in.
func (k *kiosk) plugsReader() {
	var err error
	k.unplug, err = k.reader.Attach()
	k.must(err)
	k.report.line("technician", "plugs the reader in")
}

// rest is how long the technician waits between two works on the reader. kioskd logs
// only the first few changes of a reader within a minute.
const rest = time.Minute

// rests lets a minute pass, so that kioskd logs the next changes of the reader.
func (k *kiosk) rests() {
	time.Sleep(rest)
	k.report.line("technician", "waits a minute")
}

// unplugsReader unplugs the reader.
func (k *kiosk) unplugsReader() {
	k.must(k.unplug())
	k.report.line("technician", "unplugs the reader")
}

// pulls unplugs a part.
func (k *kiosk) pulls(what string, part hardware.Pluggable) {
	k.must(part.Pull())
	k.report.line("technician", "pulls the %s", what)
}

// putsBack plugs a part in again.
func (k *kiosk) putsBack(what string, part hardware.Pluggable) {
	k.must(part.Put())
	k.report.line("technician", "puts the %s back", what)
}

// shortsBus shorts the I²C bus.
func (k *kiosk) shortsBus() {
	k.Bus.Short(true)
	k.report.line("technician", "shorts the I²C bus")
}

// freesBus removes the short circuit.
func (k *kiosk) freesBus() {
	k.Bus.Short(false)
	k.report.line("technician", "removes the short circuit of the I²C bus")
}

// readyWithin is the longest time from the start of kioskd until it is ready.
const readyWithin = 2 * time.Second

// starts starts kioskd and waits until it is ready.
func (k *kiosk) starts() {
	began := time.Now()
	var err error
	k.daemon, err = start(programs+"/kioskd", "run", "--config", k.config)
	k.must(err)
	k.logRead = 0
	_, err = k.daemon.await(0, "msg=ready")
	k.must(err)
	took := time.Since(began)
	k.report.line("technician", "starts kioskd, which is ready after %.2f s", took.Seconds())
	if took > readyWithin {
		k.must(fmt.Errorf("kioskd was ready after %v, want at most %v", took, readyWithin))
	}
}

// stops stops kioskd as systemd does.
func (k *kiosk) stops() {
	k.must(k.daemon.stop())
	k.report.line("technician", "stops kioskd")
}

// reads waits for a line of kioskd's log that contains all texts, after the
// lines that were read before, and returns it.
func (k *kiosk) reads(texts ...string) (line string) {
	line, err := k.daemon.await(k.logRead, texts...)
	k.must(err)
	k.logRead += strings.Index(k.daemon.output(k.logRead), line) + len(line)
	_, line, _ = strings.Cut(line, " ") // the time is in the report already
	k.report.line("technician", "reads %s", line)
	return line
}

// killsPCSC kills the PC/SC service.
func (k *kiosk) killsPCSC() {
	k.must(k.site.pcscd.kill(syscall.SIGKILL))
	k.report.line("technician", "kills pcscd (-9)")
}

// startsPCSC starts the PC/SC service.
func (k *kiosk) startsPCSC() {
	k.must(k.site.startPCSC())
	k.report.line("technician", "starts pcscd")
}

// stopsHub stops the hub.
func (k *kiosk) stopsHub() {
	k.must(k.site.stopHub())
	k.report.line("technician", "stops the hub")
}

// startsHub starts the hub.
func (k *kiosk) startsHub() {
	k.must(k.site.startHub())
	k.report.line("technician", "starts the hub")
}
