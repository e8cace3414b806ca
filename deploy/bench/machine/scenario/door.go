//go:build linux

package scenario

import (
	"fmt"
	"syscall"
	"time"
)

// shutSoon is within what time a strike must be shut whose kiosk is dead.
const shutSoon = time.Second

// killed is a kiosk that is killed while the door is open.
func killed(k *kiosk) {
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.types("1234")
	k.sees("Velkommen")
	k.openings++
	k.waits("the strike to open", k.Strike, k.Strike.On)
	at := time.Now()
	k.must(k.daemon.kill(syscall.SIGKILL))
	k.report.line("technician", "kills kioskd (-9) while the door is open")
	k.waits("the strike to shut", k.Strike, func() bool { return !k.Strike.On() })
	took := time.Since(at)
	k.report.line("door", "was open for %.2f s, and shut %.0f ms after the kill", k.lastOpening().Seconds(), float64(took.Microseconds())/1000)
	if took > shutSoon {
		k.must(fmt.Errorf("the strike was shut %v after kioskd was killed", took))
	}
	k.tells("granted")

	k.takesCard()
	k.starts()
	k.sees("Sett inn kortet")
	k.checksFeed()
	k.visits()
}

// hung is a kiosk that hangs while the door is open.
func hung(k *kiosk) {
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.types("1234")
	k.sees("Velkommen")
	k.waits("the strike to open", k.Strike, k.Strike.On)
	k.must(k.daemon.cmd.Process.Signal(syscall.SIGSTOP))
	k.report.line("technician", "stops kioskd (SIGSTOP) while the door is open")
	k.opens()
	k.must(k.daemon.cmd.Process.Signal(syscall.SIGCONT))
	k.report.line("technician", "lets it go on")
	k.takesCard()
	k.sees("Sett inn kortet")
	k.tells("granted")
}
