//go:build linux

package scenario

import "smartkiosk/deploy/bench/machine/hardware"

// looksAt turns the person to a display, which shows a text.
func (k *kiosk) looksAt(section, text string) {
	k.Display = k.Displays[section]
	k.report.line("person", "looks at %s", section)
	k.sees(text)
}

// severalDisplays is a visit during which the person reads all three displays.
// Each names the keys of both pads.
func severalDisplays(k *kiosk) {
	k.inserts("valid")
	k.looksAt("display.sh1106", "Avslutt: #/Enter")
	k.looksAt("display.serlcd", "Avslutt: #/Enter")
	k.looksAt("display.lk204", "Avslutt med #/Enter.")
	k.types("1234")
	k.sees("Velkommen", "Solveig P.", "Husk kortet.")
	k.looksAt("display.serlcd", "Solveig P.")
	k.looksAt("display.sh1106", "Solveig P.")
	k.opens()
	k.takesCard()
	k.sees("Sett inn kortet")
	k.expectsVisit("granted")
}

// pulledDisplays pulls one display after the other. The kiosk serves people as
// long as one is left. When a display is put back, its memory has noise or a
// greeting.
func pulledDisplays(k *kiosk) {
	pull := func(section string) { k.pulls(section, k.Displays[section].(hardware.Pluggable)) }
	pull("display.sh1106")
	k.reads("a part of the panel is lost", "part=display.sh1106")
	k.looksAt("display.serlcd", "Sett inn kortet")
	k.visits()
	pull("display.serlcd")
	k.reads("a part of the panel is lost", "part=display.serlcd")
	k.looksAt("display.lk204", "Sett inn kortet")
	k.visits()
	pull("display.lk204")
	k.reads("out of service", "part=display.lk204")
	for _, section := range []string{"display.lk204", "display.sh1106", "display.serlcd"} {
		k.putsBack(section, k.Displays[section].(hardware.Pluggable))
		k.reads("a part of the panel works", "part="+section)
		k.looksAt(section, "Sett inn kortet")
	}
	k.visits()
}

// otherPad is a visit with the keypad of contacts, of a kiosk that has a number
// pad too.
func otherPad(k *kiosk) {
	k.Keys = k.Matrix
	k.report.line("person", "uses the keypad instead of the number pad")
	k.visits()
}
