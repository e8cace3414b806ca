// Package screen is the catalogue: what a person reads on the panel, in every
// language, laid out for every size of display.
//
// The visit machine names a kiosk.Screen; the catalogue turns its name and
// values into a situation (a wrong PIN with one try left, a card that has
// expired), and a situation into words. Several reasons share a situation
// where a person would do the same about them; the exact reason is for the
// event. Each language is one file in texts/: adding a language is adding a
// file.
package screen
