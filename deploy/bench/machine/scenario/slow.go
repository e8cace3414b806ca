//go:build linux

package scenario

import (
	"strings"

	"smartkiosk/deploy/bench/machine/hardware"
)

// slow is a person who does not type for long: there is a warning, to be seen
// and heard, after which a key gives the whole time again.
func slow(k *kiosk) {
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.hears()
	pulse := hardware.TakePulse()
	k.sees("Tiden går ut", "Mer tid: #")
	tones := k.hears()
	pulse.Stop()
	k.must(like(tones, attention, pulse.Ran))
	k.pressesUntil('#', func(rows []string) bool { return strings.HasPrefix(rows[0], "Tast PIN-koden") })
	k.report.line("person", "presses # for more time")
	k.types("1234")
	k.sees("Velkommen")
	k.opens()
	k.takesCard()
	k.sees("Sett inn kortet")
	k.tells("granted")
}
