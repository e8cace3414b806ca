//go:build linux

package scenario

import (
	"errors"
	"os"
)

// lateWatchdog is a kiosk that starts while another program has the watchdog.
// The kiosk takes it as soon as that program closes it.
func lateWatchdog(k *kiosk) {
	watchdog, err := os.OpenFile("/dev/watchdog", os.O_WRONLY, 0)
	k.must(err)
	k.report.line("technician", "lets another program open the watchdog")
	k.starts()
	k.reads("nothing restarts this machine when it hangs", "another program has it")
	_, err = watchdog.WriteString("V") // stops the watchdog
	k.must(errors.Join(err, watchdog.Close()))
	k.report.line("technician", "lets that program close it")
	k.reads("this machine is restarted when it hangs", "timeout=15s")
	k.plugsReader()
	k.sees("Sett inn kortet")
	k.reads("reader found")
}
