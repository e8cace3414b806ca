//go:build linux

package scenario

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// shutSoon is within what time a strike must be shut whose kiosk is dead.
const shutSoon = 2 * time.Second

// killed is a kiosk that is killed while the door is open.
func killed(k *kiosk) {
	k.isLetIn()
	k.shutsWhen("kioskd is killed (-9)", k.daemon.cmd.Process.Pid)
	<-k.daemon.done
	k.tells("granted")
	k.takesCard()
	k.starts()
	k.sees("Sett inn kortet")
	k.checksFeed()
	k.visits()
}

// hung is a kiosk that hangs while the door is open.
func hung(k *kiosk) {
	k.isLetIn()
	k.must(k.daemon.cmd.Process.Signal(syscall.SIGSTOP))
	k.report.line("technician", "stops kioskd (SIGSTOP) while the door is open")
	k.opens()
	k.must(k.daemon.cmd.Process.Signal(syscall.SIGCONT))
	k.report.line("technician", "lets it go on")
	k.takesCard()
	k.sees("Sett inn kortet")
	k.tells("granted")
}

// guardianKilled is the process that holds the strike's line, which is killed
// while the door is open: the kiosk starts another, which begins by shutting.
func guardianKilled(k *kiosk) {
	k.isLetIn()
	k.shutsWhen("the guardian is killed (-9)", k.guardians()...)
	k.takesCard()
	k.tells("granted")
	k.reads("a part of the panel fails", "part=strike")
	k.recovers("strike")
	k.visits()
}

// bothKilled is a kiosk that is killed together with its guardian: the kernel
// makes the line that nobody holds an input, and its pull-down shuts the strike.
func bothKilled(k *kiosk) {
	k.isLetIn()
	k.shutsWhen("kioskd and its guardian are killed (-9)", append(k.guardians(), k.daemon.cmd.Process.Pid)...)
	<-k.daemon.done
	k.tells("granted")
	k.takesCard()
	k.starts()
	k.sees("Sett inn kortet")
	k.visits()
}

// hungForGood is a kiosk that hangs until the watchdog strikes.
func hungForGood(k *kiosk) {
	log, err := os.OpenFile("/dev/kmsg", os.O_RDONLY|syscall.O_NONBLOCK, 0)
	k.must(err)
	defer log.Close()
	_, err = log.Seek(0, io.SeekEnd) // what the kernel says from now on
	k.must(err)
	k.must(log.SetReadDeadline(time.Now().Add(patience)))
	k.must(k.daemon.cmd.Process.Signal(syscall.SIGSTOP))
	began := time.Now()
	k.report.line("technician", "stops kioskd (SIGSTOP)")
	for said := make([]byte, 8192); ; {
		n, err := log.Read(said)
		k.must(err)
		if strings.Contains(string(said[:n]), "softdog: Triggered") {
			break
		}
	}
	k.report.line("watchdog", "would restart the machine, after %.1f s", time.Since(began).Seconds())
	k.must(k.daemon.cmd.Process.Signal(syscall.SIGCONT))
	k.visits()
}

// patienceWithParts is longer than kioskd gives a part that fails before it
// calls it lost.
const patienceWithParts = 5 * time.Second

// recovers waits until a part that failed is lost, and then until it works
// again; or, when it works again at once, until it can be lost no more.
func (k *kiosk) recovers(section string) {
	time.Sleep(patienceWithParts)
	if strings.Contains(k.daemon.output(k.read), "part="+section) {
		k.reads("a part of the panel is lost", "part="+section)
		k.reads("a part of the panel works", "part="+section)
	}
	k.sees("Sett inn kortet")
}

// isLetIn is a person before whom the strike has just been opened.
func (k *kiosk) isLetIn() {
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.types("1234")
	k.sees("Velkommen")
	k.waits("the strike to open", k.Strike, k.Strike.On)
}

// shutsWhen kills processes, and checks that the strike is shut then.
func (k *kiosk) shutsWhen(what string, pids ...int) {
	k.openings++
	at := time.Now()
	for _, pid := range pids {
		k.must(syscall.Kill(pid, syscall.SIGKILL))
	}
	k.report.line("technician", "sees to it that %s while the door is open", what)
	k.waits("the strike to shut", k.Strike, func() bool { return !k.Strike.On() })
	took, last := time.Since(at), k.lastOpening()
	k.report.line("door", "was open for %.2f s, and shut within %d ms of the kill", (last.To - last.From).Seconds(), took.Milliseconds())
	if took > shutSoon {
		k.must(fmt.Errorf("the strike was shut %v after the kill", took))
	}
}
