package daemon

import (
	"errors"
	"testing"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/terminal"
)

// TestCardServices changes and unblocks the PIN of a software card, and checks what the
// profiles say about it.
func TestCardServices(t *testing.T) {
	pki, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	open := func(s slot.Slot, d smartkort.Driver) (terminal.Card, kiosk.CardServices) {
		t.Helper()
		card, err := newCardSlot(s, d).Open(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := card.Certificates(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := card.PINStatus(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		services, err := card.Services(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		return card, services
	}
	s := cardsim.NewSlot("slot")
	s.Insert(pki.Cards["valid"])
	card, services := open(s, smartkort.Driver{})
	if services != (kiosk.CardServices{Change: kiosk.OnPage, Unblock: kiosk.OnPage, Page: "https://www.buypass.no"}) {
		t.Errorf("a Smartkort allows %+v", services)
	}
	if err := card.ChangePIN(t.Context(), 0, []byte(testpki.PIN), []byte("5678")); !errors.Is(err, smartkort.ErrNotPublic) {
		t.Errorf("a Smartkort's PIN is changed: %v", err)
	}
	if err := card.Close(); err != nil {
		t.Error(err)
	}
	profiles, err := smartkort.LoadProfiles("testdata/profiles")
	if err != nil {
		t.Fatal(err)
	}
	card, services = open(s, smartkort.Driver{Profiles: profiles})
	if services.Change != kiosk.AtKiosk || services.Unblock != kiosk.AtKiosk || services.PUKMin != 8 || services.PUKMax != 8 {
		t.Errorf("with a profile it allows %+v", services)
	}
	err = card.ChangePIN(t.Context(), 0, []byte("9999"), []byte("5678"))
	if wrong := (*terminal.PINError)(nil); !errors.As(err, &wrong) || wrong.Status.Tries != testpki.Tries-1 {
		t.Errorf("a wrong old PIN: %v", err)
	}
	if err := card.ChangePIN(t.Context(), 0, []byte(testpki.PIN), []byte("5678")); err != nil {
		t.Error(err)
	}
	if err := card.VerifyPIN(t.Context(), 0, []byte("5678")); err != nil {
		t.Errorf("the new PIN: %v", err)
	}
	if err := card.UnblockPIN(t.Context(), 0, []byte(testpki.PUK), []byte("4321")); err != nil {
		t.Error(err)
	}
	if err := card.VerifyPIN(t.Context(), 0, []byte("4321")); err != nil {
		t.Errorf("the PIN after unblocking: %v", err)
	}
}
