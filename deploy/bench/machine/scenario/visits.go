//go:build linux

package scenario

import "time"

// opening is how long the strike opens, by the board files.
const opening = 3 * time.Second

// startUp starts a kiosk that has all its parts.
func startUp(k *kiosk) {
	k.plugsReader()
	k.starts()
	k.sees("Sett inn kortet")
	k.reads("reader found")
}

// shutDown stops the kiosk and checks the whole feed.
func shutDown(k *kiosk) {
	k.stops()
	k.checksFeed()
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
	k.presses('*') // asks whether to give up
	k.presses('#')
	k.sees("Avbrutt")
	k.takesCard()
	k.sees("Sett inn kortet")
	k.reads("visit ended", "outcome=cancelled")
	k.expectsVisit("cancelled by-holder")
}

// otherLanguage is a person who reads English, with a card that has expired.
func otherLanguage(k *kiosk) {
	k.presses('*')
	k.sees("Insert your card")
	k.inserts("expired")
	k.sees("expired")
	k.takesCard()
	k.sees("Sett inn kortet") // for the next person
	k.expectsVisit("denied expired")
}

// blockCard is a person with a card that speaks T=1.
func blockCard(k *kiosk) {
	k.inserts("t1")
	k.sees("Tast PIN-koden")
	k.types("123456")
	k.sees("Velkommen", "Bjørnar B.")
	k.opens()
	k.takesCard()
	k.sees("Sett inn kortet")
	k.expectsVisit("granted")
}

// withoutHub is a person who is let in while the hub is away.
func withoutHub(k *kiosk) {
	k.stopsHub()
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.types("1234")
	k.sees("Velkommen", "Lagret, sendes")
	k.opens()
	k.takesCard()
	k.sees("Sett inn kortet")
	k.startsHub()
	k.expectsVisit("granted")
	k.checksFeed()
}
