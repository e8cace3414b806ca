//go:build linux

package scenario

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// shutWithin is the longest time from the death of kioskd until the strike is
// shut.
const shutWithin = 2 * time.Second

// killed is a kiosk whose kioskd is killed while the door is open.
func killed(k *kiosk) {
	k.isLetIn()
	k.shutsWhen("kioskd is killed (-9)", k.daemon.cmd.Process.Pid)
	<-k.daemon.done
	k.expectsVisit("granted")
	k.takesCard()
	k.starts()
	k.sees("Sett inn kortet")
	k.checksFeed()
	k.visits()
}

// hung is a kiosk whose kioskd hangs while the door is open.
func hung(k *kiosk) {
	k.isLetIn()
	k.must(k.daemon.cmd.Process.Signal(syscall.SIGSTOP))
	k.report.line("technician", "stops kioskd (SIGSTOP) while the door is open")
	k.opens()
	k.must(k.daemon.cmd.Process.Signal(syscall.SIGCONT))
	k.report.line("technician", "continues kioskd (SIGCONT)")
	k.takesCard()
	k.sees("Sett inn kortet")
	k.expectsVisit("granted")
}

// guardianKilled is a kiosk whose guardian, the process that holds the strike's
// line, is killed while the door is open. kioskd starts another, which shuts the
// door first.
func guardianKilled(k *kiosk) {
	k.isLetIn()
	k.shutsWhen("the guardian is killed (-9)", k.guardians()...)
	k.takesCard()
	k.expectsVisit("granted")
	k.reads("a part of the panel fails", "part=strike")
	k.recovers("strike")
	k.visits()
}

// bothKilled is a kiosk whose kioskd and guardian are killed together. The kernel
// makes the line an input when no process holds it, and its pull-down shuts the
// strike.
func bothKilled(k *kiosk) {
	k.isLetIn()
	k.shutsWhen("kioskd and its guardian are killed (-9)", append(k.guardians(), k.daemon.cmd.Process.Pid)...)
	<-k.daemon.done
	k.expectsVisit("granted")
	k.takesCard()
	k.starts()
	k.sees("Sett inn kortet")
	k.visits()
}

// bothStopped is a kiosk whose kioskd and guardian are both stopped while the door is open.
// No process is left that shuts it, so it stays open for longer than it may. The service
// manager, whose watchdog kioskd does not ping any more, kills both. Stopped processes
// die of that too, and then the kernel makes the line an input.
func bothStopped(k *kiosk) {
	k.isLetIn()
	pids := append(k.guardians(), k.daemon.cmd.Process.Pid)
	for _, pid := range pids {
		k.must(syscall.Kill(pid, syscall.SIGSTOP))
	}
	k.report.line("technician", "stops kioskd and its guardian (SIGSTOP) while the door is open")
	time.Sleep(serviceWatchdog)
	if !k.Strike.On() {
		k.must(errors.New("the strike was shut, although no program can have shut it"))
	}
	k.report.line("door", "is still open after %v", serviceWatchdog)
	k.shutsWhen("kioskd and its guardian are killed while they are stopped (-9)", pids...)
	<-k.daemon.done
	k.expectsVisit("granted")
	k.takesCard()
	k.starts()
	k.sees("Sett inn kortet")
	k.visits()
}

// serviceWatchdog is WatchdogSec= of kioskd's unit.
const serviceWatchdog = 30 * time.Second

// hungForGood is a kiosk whose kioskd hangs until the watchdog fires.
func hungForGood(k *kiosk) {
	log, err := os.OpenFile("/dev/kmsg", os.O_RDONLY|syscall.O_NONBLOCK, 0)
	k.must(err)
	defer log.Close()
	_, err = log.Seek(0, io.SeekEnd) // only new messages
	k.must(err)
	k.must(log.SetReadDeadline(time.Now().Add(patience)))
	k.must(k.daemon.cmd.Process.Signal(syscall.SIGSTOP))
	began := time.Now()
	k.report.line("technician", "stops kioskd (SIGSTOP)")
	for message := make([]byte, 8192); ; {
		n, err := log.Read(message)
		k.must(err)
		if strings.Contains(string(message[:n]), "softdog: Triggered") {
			break
		}
	}
	k.report.line("watchdog", "would restart the machine, after %.1f s", time.Since(began).Seconds())
	k.must(k.daemon.cmd.Process.Signal(syscall.SIGCONT))
	k.visits()
}

// lostAfter is longer than a part may fail before kioskd calls it lost.
const lostAfter = 5 * time.Second

// recovers waits until a part that failed works again. kioskd may have called it
// lost in the meantime.
func (k *kiosk) recovers(section string) {
	time.Sleep(lostAfter)
	if strings.Contains(k.daemon.output(k.logRead), "part="+section) {
		k.reads("a part of the panel is lost", "part="+section)
		k.reads("a part of the panel works", "part="+section)
	}
	k.sees("Sett inn kortet")
}

// isLetIn inserts a card, types the PIN and waits until the strike opens.
func (k *kiosk) isLetIn() {
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.types("1234")
	k.sees("Velkommen")
	k.waits("the strike to open", k.Strike, k.Strike.On)
}

// shutsWhen kills processes while the strike is open, and checks that the strike
// shuts in time.
func (k *kiosk) shutsWhen(what string, pids ...int) {
	k.openings++
	at := time.Now()
	for _, pid := range pids {
		k.must(syscall.Kill(pid, syscall.SIGKILL))
	}
	k.report.line("technician", "makes sure that %s while the door is open", what)
	k.waits("the strike to shut", k.Strike, func() bool { return !k.Strike.On() })
	took, last := time.Since(at), k.lastOpening()
	k.report.line("door", "was open for %.2f s, and shut within %d ms of the kill", (last.To - last.From).Seconds(), took.Milliseconds())
	if took > shutWithin {
		k.must(fmt.Errorf("the strike was shut %v after the kill, want at most %v", took, shutWithin))
	}
}
