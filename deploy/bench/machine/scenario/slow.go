//go:build linux

package scenario

import (
	"fmt"
	"strings"
)

// slow is a person who does not type for long: there is a warning, to be seen
// and heard, after which a key gives the whole time again.
func slow(k *kiosk) {
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.hears()
	k.sees("Tiden går ut", "Mer tid: #")
	if tones := k.hears(); len(tones) != 2 {
		k.must(fmt.Errorf("%d tones, which is not attention", len(tones)))
	}
	k.pressesUntil('#', func(rows []string) bool { return strings.HasPrefix(rows[0], "Tast PIN-koden") })
	k.report.line("person", "presses # for more time")
	k.types("1234")
	k.sees("Velkommen")
	k.opens()
	k.takesCard()
	k.sees("Sett inn kortet")
	k.tells("granted")
}
