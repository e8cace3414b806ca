//go:build linux

package scenario

import "time"

// boards is where the machine has deploy/boards.
const boards = "/bench/boards/"

// opening is for how long the boards' strikes open.
const opening = 3 * time.Second

var shortly = []build{{"zero", boards + "zero2w-keypad-lcd.toml", []play{{"a visit", visit}, {"the end", end}}}}

var all = []build{
	{"zero", boards + "zero2w-keypad-lcd.toml", []play{
		{"a visit", visit}, {"the end", end},
	}},
}

// visit is a person who is let in.
func visit(k *kiosk) {
	k.plugsReader()
	k.starts()
	k.sees("Sett inn kortet")
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.types("1234")
	k.sees("Velkommen")
	k.opens(1, opening)
	k.takesCard()
	k.sees("Sett inn kortet")
	k.tells("granted")
	k.checksFeed()
}

// end stops the kiosk, and looks at the whole of the feed once more.
func end(k *kiosk) {
	k.stops()
	k.checksFeed()
}
