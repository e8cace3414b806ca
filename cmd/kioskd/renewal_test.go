package main

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// enrolAgo enrols the kiosk as it was some time ago: the hub's clock is behind while
// kioskctl asks for the certificate.
func (s *site) enrolAgo(ago time.Duration) {
	s.t.Helper()
	c, err := hub.Load(s.path("hub"))
	if err != nil {
		s.t.Fatal(err)
	}
	c.Now = func() time.Time { return time.Now().Add(-ago) }
	h, err := hub.Open(s.t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	defer h.Close()
	url, err := hub.URL(s.path("hub"))
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := net.Listen("tcp", strings.TrimPrefix(url, "https://"))
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- h.Serve(ctx, l) }()
	s.enrol()
	end()
	if err := <-served; err != nil {
		s.t.Error(err)
	}
}

// enrol is what an operator and a technician do, while the hub runs.
func (s *site) enrol() {
	s.t.Helper()
	code, _, err := hub.NewCode(s.path("hub"), "k1")
	if err != nil {
		s.t.Fatal(err)
	}
	url, err := hub.URL(s.path("hub"))
	if err != nil {
		s.t.Fatal(err)
	}
	must(s.t, "kioskctl", "enrol", "--hub", url, "--code", code.Text(), "--dir", s.bundle(""))
}

func (s *site) certificateEnds() time.Time {
	s.t.Helper()
	cert, err := hubapi.ReadCertificate(s.bundle("kiosk.pem"))
	if err != nil {
		s.t.Fatal(err)
	}
	return cert.NotAfter
}

const day = 24 * time.Hour

// TestRenewsItself starts a kiosk whose certificate is past two thirds of its time. The
// kiosk gets a new one, and goes on with it without a person.
func TestRenewsItself(t *testing.T) {
	pcsctest.Start(t)
	s := newSite(t)
	s.enrolAgo(61 * day)
	before := s.certificateEnds()
	if left := time.Until(before); left > 30*day || left < 28*day {
		t.Fatalf("the certificate is valid for %s more", left)
	}
	theHub := s.startHub()
	p := newPerson(t, s.panel)
	kiosk := s.startKiosk(p)
	kiosk.await(`msg="certificate renewed"`)
	if left := time.Until(s.certificateEnds()); left < 89*day {
		t.Errorf("the certificate in the file is valid for %s more", left)
	}
	granted := func(offline bool) {
		t.Helper()
		remove := s.insert("valid")
		p.types("1234#")
		p.sees("granted")
		remove()
		p.sees("welcome")
		if visits := s.pull(1); visits[len(visits)-1].Data.Offline != offline {
			t.Errorf("offline: %v", !offline)
		}
	}
	p.sees("welcome")
	granted(false)

	// All connections are new, and so is the certificate that they present.
	theHub.stop()
	theHub = s.startHub()
	granted(false)
	out := must(t, "kioskhub", "kiosk", "list", "--dir", s.path("hub"))
	if want := s.certificateEnds().UTC().Format(time.DateOnly); !strings.Contains(out, want) || strings.Contains(out, "ends in") {
		t.Errorf("kiosk list prints %s, want a certificate until %s", out, want)
	}
	kiosk.stop()
	theHub.stop()
}

// TestExpiredKiosk lets a certificate expire. The kiosk still runs, and its events wait. A
// technician renews it, and the hub gets all events.
func TestExpiredKiosk(t *testing.T) {
	pcsctest.Start(t)
	s := newSite(t)
	s.enrolAgo(100 * day)
	if !s.certificateEnds().Before(time.Now()) {
		t.Fatal("the certificate has not expired")
	}
	theHub := s.startHub()
	p := newPerson(t, s.panel)
	kiosk := s.startKiosk(p)
	p.sees("welcome")
	denied := func() {
		t.Helper()
		remove := s.insert("expired")
		p.sees("denied")
		remove()
		p.sees("welcome")
	}
	denied()
	kiosk.await(`msg="cannot renew the certificate"`)
	if out := must(t, "kioskctl", "events", "list", "--from", s.bundle("state/kioskd.sock")); strings.Count(out, " waits\n") < 3 {
		t.Errorf("not all events wait:\n%s", out)
	}
	if out := must(t, "kioskhub", "kiosk", "list", "--dir", s.path("hub")); !strings.Contains(out, "expired") {
		t.Errorf("kiosk list prints %s", out)
	}

	s.enrol()
	kiosk.stop()
	kiosk = s.startKiosk(p)
	denied()
	var kinds []string
	for _, e := range s.events(6) { // without a gap
		if e.kind != event.TypeShown { // written up to a second later
			kinds = append(kinds, e.kind)
		}
	}
	if want := []string{event.TypeEpoch, event.TypeStarted, event.TypeVisit, event.TypeStarted, event.TypeVisit}; !slices.Equal(kinds, want) {
		t.Errorf("the feed has %q, want %q", kinds, want)
	}
	kiosk.stop()
	theHub.stop()
}
