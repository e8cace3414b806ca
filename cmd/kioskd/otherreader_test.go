package main

import (
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
)

// TestOtherReader checks that the panel's corner names the reader that the
// configuration asks for and the one that is there.
func TestOtherReader(t *testing.T) {
	pcsctest.Start(t)
	s := newSite(t)
	s.edit(t, `match = ""`, `match = "Gemalto"`)
	p := newPerson(t, s.panel)
	kiosk := s.startKiosk(p)
	p.awaits("the corner", func(f frame) bool {
		return f.Name == "out-of-service" && f.Corner == "Gemalto? "+pcsctest.Reader
	})
	kiosk.stop()
}
