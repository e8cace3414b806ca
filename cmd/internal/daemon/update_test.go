package daemon

import (
	"slices"
	"strings"
	"testing"

	"smartkiosk/kiosk"
)

func TestImageVersion(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "1.4.0",
		"ID=debian\nVERSION=13\n":              "1.4.0",
		"ID=debian\nIMAGE_VERSION=1.5.0\n":     "1.5.0",
		"IMAGE_VERSION=\"1.5.0~rc1\"\nID=x":    "1.5.0~rc1",
		"IMAGE_VERSION='2026.11'\n":            "2026.11",
		"MY_IMAGE_VERSION=1\nIMAGE_VERSIONS=2": "1.4.0",
	} {
		if got := imageVersion(strings.NewReader(text), "1.4.0"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := systemVersion("/nowhere", "1.4.0"); got != "1.4.0" {
		t.Errorf("without os-release: %q", got)
	}
}

// The mark about the certificate is shown before that about an update.
func TestMarks(t *testing.T) {
	var shown []string
	m := &marks{show: func(mark string) { shown = append(shown, mark) }}
	identity, update := m.from(identityMark), m.from(updateMark)
	update("u1")
	identity("x2")
	update("u2")
	identity("")
	update("")
	if want := []string{"u1", "x2", "x2", "u2", ""}; !slices.Equal(shown, want) {
		t.Errorf("shown: %q, want %q", shown, want)
	}
}

// What the panel remembers for the health of the kiosk is not about a person.
func TestShownPanel(t *testing.T) {
	p := &shownPanel{Panel: noPanel{}}
	p.Show(kiosk.Screen{ID: kiosk.ScreenGranted, Name: "Kari T.", Typed: 4})
	if got := p.last(); got != (kiosk.Screen{ID: kiosk.ScreenGranted}) {
		t.Errorf("it remembers %+v", got)
	}
	p.Show(kiosk.Screen{ID: kiosk.ScreenOutOfService, Reason: kiosk.OutboxFull, Found: "a reader"})
	if got := p.last(); got != (kiosk.Screen{ID: kiosk.ScreenOutOfService, Reason: kiosk.OutboxFull}) {
		t.Errorf("it remembers %+v", got)
	}
}

// noPanel is a panel without parts.
type noPanel struct{}

func (noPanel) Show(kiosk.Screen) {}
func (noPanel) Sound(kiosk.Cue)   {}
func (noPanel) OpenDoor()         {}
func (noPanel) Keys() <-chan rune { return nil }
