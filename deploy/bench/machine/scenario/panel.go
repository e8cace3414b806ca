//go:build linux

package scenario

import (
	"errors"

	"smartkiosk/deploy/bench/machine/hardware"
)

// deadBus is an I²C bus that is held down, while nobody is there and while
// somebody is.
func deadBus(k *kiosk) {
	k.holdsBus()
	k.reads("out of service", "part=display.")
	k.letsBusGo()
	k.reads("a part of the panel works", "part=display.")
	k.sees("Sett inn kortet")

	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.holdsBus()
	k.reads("out of service", "part=display.")
	k.reads("visit ended", "reason=display-lost")
	k.tells("failed display-lost")
	k.letsBusGo()
	k.reads("a part of the panel works", "part=display.")
	k.sees("Ta ut kortet")
	k.takesCard()
	k.sees("Sett inn kortet")
	k.visits()
	k.checksFeed()
}

// pulledDisplay is a display that is pulled, without its power, and put back
// with noise in its memory.
func pulledDisplay(k *kiosk) {
	k.pulls("display", k.Display.(hardware.Pluggable))
	k.reads("out of service", "part=display.")
	k.putsBack("display", k.Display.(hardware.Pluggable))
	k.reads("a part of the panel works", "part=display.")
	k.sees("Sett inn kortet")
	k.visits()
}

// stuckColumn is a column of the keypad that is shorted to ground: each of its
// keys is down.
func stuckColumn(k *kiosk) {
	column := k.Matrix.Col(1)
	k.must(k.Lines.Drive(column, false))
	k.report.line("technician", "shorts GPIO%d to ground: a column of the keypad", column)
	k.reads("keys are stuck", "look for a short circuit")
	k.must(k.Lines.Leave(column))
	k.report.line("technician", "removes the short circuit")
	k.reads("keys that were stuck are free")
	k.visits()
}

// stuckKey is a key that somebody jammed: others can still be typed.
func stuckKey(k *kiosk) {
	k.must(k.Matrix.Hold('9'))
	k.report.line("person", "jams a key")
	k.reads("keys are stuck")
	k.visits()
	k.must(k.Matrix.Let('9'))
	k.report.line("technician", "frees the key")
	k.reads("keys that were stuck are free")
}

// numberPad is a pad that is pulled, put back, and nobody else's.
func numberPad(k *kiosk) {
	listens, err := k.Pad.Listen()
	k.must(err)
	k.visits()
	overheard, err := listens()
	k.must(err)
	if overheard > 0 {
		k.must(errors.New("another program heard keys of the number pad"))
	}
	k.report.line("technician", "hears no key in a program beside kioskd")

	k.pulls("number pad", k.Pad)
	k.sees("Ute av drift")
	k.reads("out of service", "part=keypad.usb")
	k.putsBack("number pad", k.Pad)
	k.reads("a part of the panel works", "part=keypad.usb")
	k.sees("Sett inn kortet")
	k.visits()
}

// housing is one that is opened and closed.
func housing(k *kiosk) {
	k.must(k.Lines.Leave(k.Tamper)) // the pull-up then opens it
	k.report.line("technician", "opens the housing")
	k.reads("the housing is open")
	k.must(k.Lines.Drive(k.Tamper, false))
	k.report.line("technician", "closes the housing")
	k.reads("the housing is closed")
}

// bare is a kiosk that is started without anything, which is then plugged in.
func bare(k *kiosk) {
	k.pulls("display", k.Display.(hardware.Pluggable))
	k.pulls("number pad", k.Pad)
	k.starts()
	k.reads("out of service", "part=") // keypad and display, in any order
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
