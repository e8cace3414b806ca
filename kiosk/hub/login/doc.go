// Package login lets a person log in with a phone at a kiosk: it joins a visit at a kiosk
// to a browser on a phone, and that to a broker (kiosk/hub/broker).
//
//	waiting   the kiosk shows a link; a phone has 60 s to open it
//	opened    one phone is bound by a cookie and is at the broker
//	answering the broker has answered, and the hub checks that
//	digits    the phone shows four digits; 60 s to type them on the kiosk
//	deciding  the digits were right, and the rules decide
//	ended     with an outcome
//
// The digits go from the phone to the kiosk, and not the other way: a person who was sent
// the link, or photographed it, is not in front of the kiosk and cannot type there. See
// deploy/SECURITY.md for what this does not prevent.
//
// A login on a broker's hosted page, in the browser of the kiosk itself, begins as opened and
// needs no digits; see BeginPage.
//
// All state is in a key-value bucket, so any hub can answer the kiosk or the phone. Each
// change is a compare-and-set.
package login
