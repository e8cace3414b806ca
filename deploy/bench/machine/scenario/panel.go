//go:build linux

package scenario

import (
	"errors"

	"smartkiosk/deploy/bench/machine/hardware"
)

// shortedBus is an I²C bus that is shorted between two visits and during one.
func shortedBus(k *kiosk) {
	k.shortsBus()
	k.reads("out of service", "part=display.")
	k.freesBus()
	k.reads("a part of the panel works", "part=display.")
	k.sees("Sett inn kortet")

	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.shortsBus()
	k.reads("out of service", "part=display.")
	k.reads("visit ended", "reason=display-lost")
	k.expectsVisit("failed display-lost")
	k.freesBus()
	k.reads("a part of the panel works", "part=display.")
	k.sees("Ta ut kortet")
	k.takesCard()
	k.sees("Sett inn kortet")
	k.visits()
	k.checksFeed()
}

// pulledDisplay is a display that is unplugged and plugged in again, with noise
// in its memory.
func pulledDisplay(k *kiosk) {
	k.pulls("display", k.Display.(hardware.Pluggable))
	k.reads("out of service", "part=display.")
	k.putsBack("display", k.Display.(hardware.Pluggable))
	k.reads("a part of the panel works", "part=display.")
	k.sees("Sett inn kortet")
	k.visits()
}

// shortedColumn is a column of the keypad that is shorted to ground, so that all
// its keys look pressed.
func shortedColumn(k *kiosk) {
	column := k.Matrix.Col(1)
	k.must(k.Lines.Drive(column, false))
	k.report.line("technician", "shorts GPIO%d, a column of the keypad, to ground", column)
	k.reads("keys are stuck", "look for a short circuit")
	k.must(k.Lines.Leave(column))
	k.report.line("technician", "removes the short circuit")
	k.reads("stuck keys are released")
	k.visits()
}

// jammedKey is a key that somebody jammed. The other keys still work.
func jammedKey(k *kiosk) {
	k.must(k.Matrix.Hold('9'))
	k.report.line("person", "jams a key")
	k.reads("keys are stuck")
	k.visits()
	k.must(k.Matrix.Release('9'))
	k.report.line("technician", "frees the key")
	k.reads("stuck keys are released")
}

// numberPad is a number pad that is unplugged and plugged in again, and whose
// keys no other program can read.
func numberPad(k *kiosk) {
	received, err := k.Pad.Listen()
	k.must(err)
	k.visits()
	n, err := received()
	k.must(err)
	if n > 0 {
		k.must(errors.New("another program received keys of the number pad"))
	}
	k.report.line("technician", "receives no key in another program")

	k.pulls("number pad", k.Pad)
	k.sees("Ute av drift")
	k.reads("out of service", "part=keypad.usb")
	k.putsBack("number pad", k.Pad)
	k.reads("a part of the panel works", "part=keypad.usb")
	k.sees("Sett inn kortet")
	k.visits()
}

// housing is a housing that is opened and closed.
func housing(k *kiosk) {
	k.must(k.Lines.Leave(k.Tamper)) // so that the pull-up makes the line high
	k.report.line("technician", "opens the housing")
	k.reads("the housing is open")
	k.must(k.Lines.Drive(k.Tamper, false))
	k.report.line("technician", "closes the housing")
	k.reads("the housing is closed")
}

// bare is a kiosk that is started without any part. Then the parts are plugged
// in one by one.
func bare(k *kiosk) {
	k.pulls("display", k.Display.(hardware.Pluggable))
	k.pulls("number pad", k.Pad)
	k.starts()
	k.reads("out of service", "part=") // for the keypad and for the display, in any order
	k.reads("out of service", "part=")
	k.putsBack("display", k.Display.(hardware.Pluggable))
	k.reads("a part of the panel works", "part=display.")
	k.sees("Ute av drift")
	k.putsBack("number pad", k.Pad)
	k.reads("a part of the panel works", "part=keypad.usb")
	k.plugsReader()
	k.sees("Sett inn kortet")
	k.visits()
}
