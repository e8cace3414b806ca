// Package screen is the catalogue of texts that a person reads on the panel, in
// every language and laid out for every size of display.
//
// The visit machine chooses a kiosk.Screen. The catalogue turns its name and values
// into a situation (a wrong PIN with one try left, a card that has expired), and the
// situation into words. Reasons about which a person would do the same share a
// situation; the event has the exact reason. Each language is one file in texts/. To
// add a language, add a file.
package screen
