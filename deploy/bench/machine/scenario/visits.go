//go:build linux

package scenario

import "time"

// opening is for how long the boards' strikes open.
const opening = 3 * time.Second

// begin starts a kiosk that has everything.
func begin(k *kiosk) {
	k.plugsReader()
	k.starts()
	k.sees("Sett inn kortet")
	k.reads("reader found")
}

// end stops it, looks at the whole of the feed, and tells how its keys were read.
func end(k *kiosk) {
	k.stops()
	k.checksFeed()
	k.reportsPresses()
}

// granted is a person who is let in.
func granted(k *kiosk) {
	k.visits()
	k.reads("visit ended", "outcome=granted")
	k.checksFeed()
}

// wrongPIN is a person who mistypes, and then gives up.
func wrongPIN(k *kiosk) {
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.types("9999")
	k.sees("Feil PIN-kode")
	k.presses('*')
	k.sees("Avbrutt")
	k.takesCard()
	k.sees("Sett inn kortet")
	k.reads("visit ended", "outcome=cancelled")
	k.tells("cancelled by-holder")
}

// otherLanguage is a person who reads English, with a card that has expired.
func otherLanguage(k *kiosk) {
	k.presses('*')
	k.sees("Insert your card")
	k.inserts("expired")
	k.sees("expired")
	k.takesCard()
	k.sees("Sett inn kortet") // for the next person
	k.tells("denied expired")
}

// blockCard is a person with a card of the protocol T=1.
func blockCard(k *kiosk) {
	k.inserts("t1")
	k.sees("Tast PIN-koden")
	k.types("123456")
	k.sees("Velkommen", "Bjørnar Blokkstad")
	k.opens()
	k.takesCard()
	k.sees("Sett inn kortet")
	k.tells("granted")
}

// withoutHub is a person who is let in while the hub is away.
func withoutHub(k *kiosk) {
	k.stopsHub()
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.types("1234")
	k.sees("Velkommen", "uten nett")
	k.opens()
	k.takesCard()
	k.sees("Sett inn kortet")
	k.startsHub()
	k.tells("granted")
	k.checksFeed()
}
