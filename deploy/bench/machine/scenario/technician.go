//go:build linux

package scenario

import (
	"strings"
	"syscall"

	"smartkiosk/deploy/bench/machine/hardware"
)

// plugsReader plugs the reader in.
func (k *kiosk) plugsReader() {
	var err error
	k.unplug, err = k.reader.Attach()
	k.must(err)
	k.report.line("technician", "plugs the reader in")
}

// unplugsReader pulls its plug.
func (k *kiosk) unplugsReader() {
	k.must(k.unplug())
	k.report.line("technician", "unplugs the reader")
}

// pulls pulls the plug of a part.
func (k *kiosk) pulls(what string, part hardware.Pluggable) {
	k.must(part.Pull())
	k.report.line("technician", "pulls the %s", what)
}

// putsBack puts it in again.
func (k *kiosk) putsBack(what string, part hardware.Pluggable) {
	k.must(part.Put())
	k.report.line("technician", "puts the %s back", what)
}

// holdsBus shorts the I²C bus.
func (k *kiosk) holdsBus() {
	k.Bus.Hold(true)
	k.report.line("technician", "shorts the I²C bus")
}

// letsBusGo removes the short circuit.
func (k *kiosk) letsBusGo() {
	k.Bus.Hold(false)
	k.report.line("technician", "lets the I²C bus go")
}

// starts starts kioskd.
func (k *kiosk) starts() {
	var err error
	k.daemon, err = start(programs+"/kioskd", "run", "--config", k.config)
	k.must(err)
	k.read = 0
	k.report.line("technician", "starts kioskd")
	_, err = k.daemon.await(0, "msg=ready")
	k.must(err)
}

// stops ends kioskd as systemd does.
func (k *kiosk) stops() {
	k.must(k.daemon.stop())
	k.report.line("technician", "stops kioskd")
}

// reads waits for a line of kioskd's log that has some texts, after those
// read before, and gives it.
func (k *kiosk) reads(texts ...string) (line string) {
	line, err := k.daemon.await(k.read, texts...)
	k.must(err)
	k.read += strings.Index(k.daemon.output(k.read), line) + len(line)
	_, line, _ = strings.Cut(line, " ") // the time, which the report has
	k.report.line("technician", "reads %s", line)
	return line
}

// killsPCSC kills the PC/SC service.
func (k *kiosk) killsPCSC() {
	k.must(k.site.pcscd.kill(syscall.SIGKILL))
	k.report.line("technician", "kills pcscd (-9)")
}

// startsPCSC starts it.
func (k *kiosk) startsPCSC() {
	k.must(k.site.startPCSC())
	k.report.line("technician", "starts pcscd")
}

// stopsHub stops the hub.
func (k *kiosk) stopsHub() {
	k.must(k.site.stopHub())
	k.report.line("technician", "stops the hub")
}

// startsHub starts it.
func (k *kiosk) startsHub() {
	k.must(k.site.startHub())
	k.report.line("technician", "starts the hub")
}
