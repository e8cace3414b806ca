//go:build linux

package scenario

import (
	"errors"
	"os"
)

// lateWatchdog is a kiosk that starts while another program has the watchdog,
// which lets go of it later.
func lateWatchdog(k *kiosk) {
	dog, err := os.OpenFile("/dev/watchdog", os.O_WRONLY, 0)
	k.must(err)
	k.report.line("technician", "has another program open the watchdog")
	k.starts()
	k.reads("nothing restarts this machine when it hangs", "another program has it")
	_, err = dog.WriteString("V") // stops it
	k.must(errors.Join(err, dog.Close()))
	k.report.line("technician", "has that program let go of it")
	k.reads("this machine is restarted when it hangs", "timeout=15s")
	k.plugsReader()
	k.sees("Sett inn kortet")
	k.reads("reader found")
}
