package daemon

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"smartkiosk/kiosk/journal"
)

// machineClocks returns the clocks of this machine.
func machineClocks() (journal.Clocks, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return journal.Clocks{}, fmt.Errorf("cannot tell this boot from others: %w", err)
	}
	return journal.Clocks{
		Now: time.Now, BootID: strings.TrimSpace(string(boot)), Uptime: uptime, Trusted: synchronised,
	}, nil
}

func uptime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0 // every Linux since 2.6.39 has this clock
	}
	return time.Duration(now.Nano())
}

// synchronised reports whether NTP keeps the kernel's clock correct (adjtimex(2),
// STA_UNSYNC).
func synchronised() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}
