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

// muteCard is a card the wrong way round.
func muteCard(k *kiosk) {
	k.inserts("mute")
	k.sees("Snu kortet")
	k.reads("visit ended", "reason=card-mute")
	k.takesCard()
	k.sees("Sett inn kortet")
	k.tells("failed card-mute")
}

// Instructions of ISO 7816-4 and -8 that a visit has.
const (
	insVerify = 0x20
	insSign   = 0x2a // PERFORM SECURITY OPERATION
)

// pulledCards is a card that is pulled at each step of a visit. While a command
// is under way the lack of an answer may come before the reader tells of it.
func pulledCards(k *kiosk) {
	pulled := func() {
		k.reads("visit ended", "reason=card-removed")
		k.tells("cancelled card-removed")
		k.sees("Sett inn kortet")
	}
	for _, at := range []struct {
		card    string // one that the kiosk knows, and one of which it reads all
		command int
	}{{"valid", 1}, {"valid", 3}, {"two-pin", 4}, {"two-pin", 12}} {
		k.isToPullAt(fmt.Sprintf("while it is read, at command %d", at.command), func(c usbreader.Command) bool { return c.Number == at.command })
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
		k.isToPullAt(at.what, func(c usbreader.Command) bool { return c.INS == at.ins })
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
	k.tells("granted")
	k.checksFeed()
}

// reader is a reader that is unplugged and plugged in.
func reader(k *kiosk) {
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
	k.tells("failed reader-lost")
	k.replugs()
}

// replugs plugs the reader in again once its card is out.
func (k *kiosk) replugs() {
	k.sees("Ute av drift")
	k.takesCard()
	k.plugsReader()
	k.sees("Sett inn kortet")
	k.reads("reader found")
	k.visits()
}

// lateReader is a reader that is unplugged with a card in it, in a machine whose
// udev has much else to do: pcscd tells that the card is gone, and only later
// that the reader is. All the same nobody took the card out.
func lateReader(k *kiosk) {
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	udev, said := k.running("systemd-udevd"), len(k.site.pcscd.output(0))
	k.must(syscall.Kill(udev, syscall.SIGSTOP))
	k.report.line("technician", "holds udev up (SIGSTOP)")
	k.unplugsReader()
	k.reads("visit ended", "reason=reader-lost")
	k.tells("failed reader-lost")
	_, err := k.site.pcscd.await(said, "Card Removed")
	k.must(err)
	k.must(syscall.Kill(udev, syscall.SIGCONT))
	k.report.line("technician", "lets it go on")
	k.reads("reader gone")
	k.replugs()
}

// running finds a program that runs, by its name.
func (k *kiosk) running(name string) (pid int) {
	paths, err := filepath.Glob("/proc/[0-9]*/comm")
	k.must(err)
	for _, path := range paths {
		if comm, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(comm)) == name {
			pid, err = strconv.Atoi(filepath.Base(filepath.Dir(path)))
			k.must(err)
			return pid
		}
	}
	k.must(fmt.Errorf("%s does not run", name))
	return 0
}

// service is the PC/SC service that is killed.
func service(k *kiosk) {
	k.killsPCSC()
	k.sees("Ute av drift")
	k.reads("no PC/SC service")
	k.startsPCSC()
	k.sees("Sett inn kortet")
	k.reads("reader found")
	k.visits()
}
