//go:build linux

package scenario

import "strings"

// slowPerson is a person who does not type for a long time. The kiosk warns on
// the display and with the buzzer. A key then restarts the timeout.
func slowPerson(k *kiosk) {
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.hears()
	k.sees("Mer tid?", "Trykk #")
	k.must(checkTones(k.hears(), attention))
	k.pressesUntil('#', func(rows []string) bool { return strings.HasPrefix(rows[0], "Tast PIN-koden") })
	k.report.line("person", "presses # for more time")
	k.types("1234")
	k.sees("Velkommen")
	k.opens()
	k.takesCard()
	k.sees("Sett inn kortet")
	k.expectsVisit("granted")
}
