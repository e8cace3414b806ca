//go:build linux

package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"smartkiosk/device/cardsim/usbreader"
)

// muteCard is a card that was inserted the wrong way round.
func muteCard(k *kiosk) {
	k.inserts("mute")
	k.sees("Snu kortet")
	k.reads("visit ended", "reason=card-mute")
	k.takesCard()
	k.sees("Sett inn kortet")
	k.expectsVisit("failed card-mute")
}

// Instructions of ISO 7816-4 and -8.
const (
	insVerify = 0x20
	insSign   = 0x2a // PERFORM SECURITY OPERATION
)

// pulledCards is a card that is pulled at each step of a visit. When it is pulled
// during a command, the missing answer may arrive before the reader reports that
// the card is gone.
func pulledCards(k *kiosk) {
	pulled := func() {
		k.reads("visit ended", "reason=card-removed")
		k.expectsVisit("cancelled card-removed")
		k.sees("Sett inn kortet")
	}
	for _, at := range []struct {
		card    string // "valid" is known to the kiosk; of "two-pin" the kiosk reads everything
		command int
	}{{"valid", 1}, {"valid", 3}, {"two-pin", 4}, {"two-pin", 12}} {
		k.pullsCardAt(fmt.Sprintf("while it is read, at command %d", at.command), func(c usbreader.Command) bool { return c.Number == at.command })
		k.inserts(at.card)
		pulled()
	}

	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.takesCard()
	pulled()

	for _, at := range []struct {
		what string
		ins  byte
	}{{"while its PIN is checked", insVerify}, {"while it signs", insSign}} {
		k.inserts("valid")
		k.sees("Tast PIN-koden")
		k.pullsCardAt(at.what, func(c usbreader.Command) bool { return c.INS == at.ins })
		k.types("1234")
		pulled()
	}

	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.types("1234")
	k.sees("Velkommen")
	k.takesCard() // at once
	k.opens()
	k.sees("Sett inn kortet")
	k.expectsVisit("granted")
	k.checksFeed()
}

// unpluggedReader is a reader that is unplugged and plugged in again, between two
// visits and during one.
func unpluggedReader(k *kiosk) {
	k.unplugsReader()
	k.sees("Ute av drift")
	k.reads("reader gone")
	k.plugsReader()
	k.sees("Sett inn kortet")
	k.reads("reader found")

	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.unplugsReader()
	k.reads("visit ended", "reason=reader-lost")
	k.expectsVisit("failed reader-lost")
	k.replugs()
}

// replugs takes the card out and plugs the reader in again.
func (k *kiosk) replugs() {
	k.sees("Ute av drift")
	k.takesCard()
	k.plugsReader()
	k.sees("Sett inn kortet")
	k.reads("reader found")
	k.visits()
}

// lateReader is a reader that is unplugged with a card in it while udev is busy.
// So pcscd first reports that the card is gone, and later that the reader is. The
// visit must end as reader-lost, because the card was not taken out.
func lateReader(k *kiosk) {
	k.rests()
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	udev, logged := k.findProcess("systemd-udevd"), len(k.site.pcscd.output(0))
	k.must(syscall.Kill(udev, syscall.SIGSTOP))
	k.report.line("technician", "stops udev (SIGSTOP)")
	k.unplugsReader()
	k.reads("visit ended", "reason=reader-lost")
	k.expectsVisit("failed reader-lost")
	_, err := k.site.pcscd.await(logged, "Card Removed")
	k.must(err)
	k.must(syscall.Kill(udev, syscall.SIGCONT))
	k.report.line("technician", "continues udev (SIGCONT)")
	k.reads("reader gone")
	k.replugs()
}

// findProcess returns the id of the process with a name.
func (k *kiosk) findProcess(name string) (pid int) {
	paths, err := filepath.Glob("/proc/[0-9]*/comm")
	k.must(err)
	for _, path := range paths {
		if comm, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(comm)) == name {
			pid, err = strconv.Atoi(filepath.Base(filepath.Dir(path)))
			k.must(err)
			return pid
		}
	}
	k.must(fmt.Errorf("%s is not running", name))
	return 0
}

// killedPCSC is a PC/SC service that is killed and started again.
func killedPCSC(k *kiosk) {
	k.killsPCSC()
	k.sees("Ute av drift")
	k.reads("no PC/SC service")
	k.startsPCSC()
	k.sees("Sett inn kortet")
	k.reads("reader found")
	k.visits()
}
